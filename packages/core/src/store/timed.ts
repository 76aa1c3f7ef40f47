import { type ObjectKey, type ObjectStore, OvaultError, type Clock, systemClock } from "@ovault/contract";
import { aroundCalls, type StoreCallKind } from "./around-calls.ts";
import { totalBytes } from "./total-bytes.ts";

/** A finished call to a store. */
export interface StoreCallReport {
  readonly kind: StoreCallKind | "list";
  /** For a listing, the prefix. */
  readonly key: ObjectKey;
  /** For a listing, how long its reader waited for it. */
  readonly ms: number;
  /** Bytes stored or fetched by this call. */
  readonly bytes: number;
  /** `done`; `exists` for a put that found its object already there; or the code (else the name) of the error. */
  readonly outcome: string;
  readonly failed: boolean;
}

/** Reports every call when it ends, a listing when its reader ends. `onCall` must not throw. */
export function timed(
  store: ObjectStore,
  onCall: (report: StoreCallReport) => void,
  clock: Clock = systemClock,
): ObjectStore {
  const measure = async <T>(
    call: Pick<StoreCallReport, "kind" | "key">,
    work: () => Promise<T>,
    resultOf: (answer: T) => Partial<StoreCallReport> = () => ({}),
  ): Promise<T> => {
    const startedMs = clock.elapsedMs();
    const report = (result: Partial<StoreCallReport>): void =>
      onCall({ ...call, ms: clock.elapsedMs() - startedMs, ...NOTHING_MOVED, ...result });
    let answer: T;
    try {
      answer = await work();
    } catch (error) {
      report(failure(error));
      throw error;
    }
    report(resultOf(answer));
    return answer;
  };
  return {
    ...aroundCalls(store, ({ kind, key }, work) => measure({ kind, key }, work)),
    put: (key, parts, options) =>
      measure(
        { kind: "put", key },
        () => store.put(key, parts, options),
        (answer) => (answer === "exists" ? { outcome: "exists" } : { bytes: totalBytes(parts) }),
      ),
    get: (key, options) =>
      measure(
        { kind: "get", key },
        () => store.get(key, options),
        ({ byteLength }) => ({ bytes: byteLength }),
      ),
    async *list(prefix, options) {
      const objects = store.list(prefix, options)[Symbol.asyncIterator]();
      let ms = 0;
      let result: Partial<StoreCallReport> = {};
      try {
        for (;;) {
          const startedMs = clock.elapsedMs();
          const next = await objects.next().finally(() => (ms += clock.elapsedMs() - startedMs));
          if (next.done === true) return;
          yield next.value;
        }
      } catch (error) {
        result = failure(error);
        throw error;
      } finally {
        await objects.return?.();
        onCall({ kind: "list", key: prefix, ms, ...NOTHING_MOVED, ...result });
      }
    },
  };
}

const NOTHING_MOVED = { bytes: 0, outcome: "done", failed: false } as const;

function failure(error: unknown): Partial<StoreCallReport> {
  const name = error instanceof Error ? error.name : typeof error;
  return { outcome: error instanceof OvaultError ? error.code : name, failed: true };
}
