import type { ObjectKey, ObjectStore } from "../contract/object-store.ts";
import { isTransient } from "../errors/ovault-error.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { aroundCalls } from "./around-calls.ts";

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  readonly attempts: number;
  /** Longest pause before the second call; doubles each time. A pause is anything from nothing to the longest. */
  readonly firstDelayMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, firstDelayMs: 250 };

/**
 * Repeats calls that failed transiently. A `put` whose answer was lost may find its own object: with `ifAbsent` that
 * shows as "exists", and the caller, who chose the key, can tell whose it is. A listing that breaks goes on after the
 * last key it gave, and may break again as often as it has come further since.
 */
export function retrying(
  store: ObjectStore,
  policy: RetryPolicy = DEFAULT_RETRIES,
  clock: Clock = systemClock,
): ObjectStore {
  /** Returns when the call may be made again, and throws the error when it may not. */
  const pause = async (error: unknown, failures: number, signal: AbortSignal): Promise<void> => {
    if (!isTransient(error) || failures >= policy.attempts || signal.aborted) throw error;
    // Full jitter: what failed together because the store was busy must not come back together.
    await clock.sleep(Math.random() * policy.firstDelayMs * 2 ** (failures - 1), signal);
  };
  return {
    ...aroundCalls(store, async ({ signal }, work) => {
      for (let failures = 1; ; failures += 1) {
        try {
          return await work();
        } catch (error) {
          await pause(error, failures, signal);
        }
      }
    }),
    async *list(prefix, options) {
      let after: ObjectKey | undefined;
      for (let failures = 1; ; failures += 1) {
        let last = after;
        try {
          for await (const info of store.list(prefix, options)) {
            if (after !== undefined && info.key <= after) continue;
            last = info.key;
            yield info;
          }
          return;
        } catch (error) {
          if (last !== after) failures = 1;
          after = last;
          await pause(error, failures, options.signal);
        }
      }
    },
  };
}
