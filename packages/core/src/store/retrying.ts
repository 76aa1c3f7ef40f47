import { setTimeout as sleep } from "node:timers/promises";

import type { ObjectStore } from "../contract/object-store.ts";
import { isTransient } from "../errors/ovault-error.ts";

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  readonly attempts: number;
  /** Before the second call; doubles each time, with jitter. */
  readonly firstDelayMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 5, firstDelayMs: 200 };

/**
 * Repeats calls that failed transiently. A `put` whose answer was lost may find its own object: with `ifAbsent` that
 * shows as "exists", and the caller, who chose the key, can tell whose it is. A listing is repeated only from its start,
 * that is until its first object came.
 */
export function retrying(store: ObjectStore, policy: RetryPolicy = DEFAULT_RETRIES): ObjectStore {
  const retry = async <T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!isTransient(error) || attempt >= policy.attempts || signal.aborted) throw error;
        const delay = policy.firstDelayMs * 2 ** (attempt - 1);
        await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal });
      }
    }
  };
  return {
    capabilities: store.capabilities,
    put: (key, parts, options) => retry(options.signal, () => store.put(key, parts, options)),
    get: (key, options) => retry(options.signal, () => store.get(key, options)),
    stat: (key, options) => retry(options.signal, () => store.stat(key, options)),
    delete: (key, options) => retry(options.signal, () => store.delete(key, options)),
    async *list(prefix, options) {
      const { iterator, first } = await retry(options.signal, async () => {
        const started = store.list(prefix, options)[Symbol.asyncIterator]();
        return { iterator: started, first: await started.next() };
      });
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    },
    close: () => store.close(),
  };
}
