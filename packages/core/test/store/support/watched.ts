import type { ObjectStore } from "@ovault/contract";

import { aroundCalls } from "../../../src/store/around-calls.ts";

/**
 * Passes calls on; `around` sees each of them, by what it is and its key. A listing is a call each time it is asked for
 * an object.
 */
export function watched(
  store: ObjectStore,
  around: <T>(label: string, work: () => Promise<T>) => Promise<T>,
): ObjectStore {
  return {
    ...aroundCalls(store, ({ kind, key }, work) => around(`${kind} ${key}`, work)),
    async *list(prefix, options) {
      const objects = store.list(prefix, options)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await around(`list ${prefix}`, () => objects.next());
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        await objects.return?.();
      }
    },
  };
}
