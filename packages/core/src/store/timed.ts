import type { ObjectKey, ObjectStore } from "../contract/object-store.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { aroundCalls, type StoreCallKind } from "./around-calls.ts";
import { totalBytes } from "./total-bytes.ts";

/** A call to a store that is over. */
export interface StoreCallReport {
  readonly kind: StoreCallKind | "list";
  /** Of a listing, the prefix. */
  readonly key: ObjectKey;
  /** Of a listing, the time that its reader waited for it. */
  readonly ms: number;
  /** Put or got by a call that succeeded. */
  readonly bytes: number;
  readonly outcome: StoreCallOutcome;
}

export type StoreCallOutcome =
  | { readonly status: "done" | "stored" | "exists" }
  | { readonly status: "failed"; readonly error: unknown };

/**
 * Reports every call when it is over: a listing when it ended, or its reader had enough. `onCall` must not throw.
 */
export function timed(
  store: ObjectStore,
  onCall: (report: StoreCallReport) => void,
  clock: Clock = systemClock,
): ObjectStore {
  /** Makes a call and reports it. */
  const measure = async <T>(
    { kind, key }: Pick<StoreCallReport, "kind" | "key">,
    work: () => Promise<T>,
    describe: (answer: T) => Pick<StoreCallReport, "bytes" | "outcome">,
  ): Promise<T> => {
    const startedMs = clock.elapsedMs();
    const report = (described: Pick<StoreCallReport, "bytes" | "outcome">): void =>
      onCall({ kind, key, ms: clock.elapsedMs() - startedMs, ...described });
    let answer: T;
    try {
      answer = await work();
    } catch (error) {
      report({ bytes: 0, outcome: { status: "failed", error } });
      throw error;
    }
    report(describe(answer));
    return answer;
  };
  return {
    ...aroundCalls(store, (call, work) => measure(call, work, () => ({ bytes: 0, outcome: { status: "done" } }))),
    put: (key, parts, options) =>
      measure(
        { kind: "put", key },
        () => store.put(key, parts, options),
        (status) => ({ bytes: status === "stored" ? totalBytes(parts) : 0, outcome: { status } }),
      ),
    get: (key, options) =>
      measure(
        { kind: "get", key },
        () => store.get(key, options),
        ({ byteLength }) => ({ bytes: byteLength, outcome: { status: "done" } }),
      ),
    async *list(prefix, options) {
      const objects = store.list(prefix, options)[Symbol.asyncIterator]();
      let outcome: StoreCallOutcome = { status: "done" };
      let ms = 0;
      const next = async (): ReturnType<typeof objects.next> => {
        const startedMs = clock.elapsedMs();
        try {
          return await objects.next();
        } catch (error) {
          outcome = { status: "failed", error };
          throw error;
        } finally {
          ms += clock.elapsedMs() - startedMs;
        }
      };
      try {
        for (let result = await next(); result.done !== true; result = await next()) yield result.value;
      } finally {
        await objects.return?.();
        onCall({ kind: "list", key: prefix, ms, bytes: 0, outcome });
      }
    },
  };
}
