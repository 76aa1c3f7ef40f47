import type { ObjectKey, ObjectStore } from "@ovault/contract";
import { aroundCalls } from "./around-calls.ts";
import { repeated, Repetition, type RepeatOptions } from "./repeated.ts";

/**
 * Repeats calls that failed transiently. A `put` whose answer was lost may find its own object: with `ifAbsent` that
 * shows as "exists", and the caller, who chose the key, knows whether it is its own. A listing that breaks resumes
 * after the last key it gave, and has its whole patience again whenever it has come further.
 */
export function retrying(store: ObjectStore, options: RepeatOptions = {}): ObjectStore {
  return {
    ...aroundCalls(store, ({ signal }, work) => repeated(work, signal, options)),
    async *list(prefix, { signal }) {
      const repetition = new Repetition(signal, options);
      let after: ObjectKey | undefined;
      for (;;) {
        try {
          for await (const info of store.list(prefix, { signal })) {
            if (after !== undefined && info.key <= after) continue;
            after = info.key;
            repetition.succeeded();
            yield info;
          }
          repetition.succeeded();
          return;
        } catch (error) {
          await repetition.pauseAfter(error);
        }
      }
    },
  };
}
