import type { ObjectKey, ObjectStore } from "../contract/object-store.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { aroundCalls } from "./around-calls.ts";
import { DEFAULT_RETRIES, pauseAfter, repeated, type RetryPolicy } from "./repeated.ts";

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
  return {
    ...aroundCalls(store, ({ signal }, work) => repeated(work, signal, policy, clock)),
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
          await pauseAfter(error, failures, { policy, clock, signal: options.signal });
        }
      }
    },
  };
}
