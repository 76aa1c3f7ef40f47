import { type ObjectInfo, type ObjectStore, Semaphore } from "@ovault/contract";
import { aroundCalls } from "./around-calls.ts";

/** Objects that a listing takes each time it has a slot: as many as services return in one answer. */
const PAGE_OBJECTS = 1000;

/**
 * Never has more than `concurrency` calls under way (at least 1); the others wait in order of arrival. A listing has a
 * slot only while it fetches a page, so its reader may make other calls, or take its time.
 */
export function limited(store: ObjectStore, concurrency: number): ObjectStore {
  const slots = new Semaphore(concurrency);
  return {
    ...aroundCalls(store, ({ signal }, work) => slots.run(work, signal)),
    async *list(prefix, options) {
      const objects = store.list(prefix, options)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const { infos, end } = await slots.run(() => nextPage(objects), options.signal);
          yield* infos;
          if (end?.error !== undefined) throw end.error;
          if (end !== undefined) return;
        }
      } finally {
        await objects.return?.();
      }
    },
  };
}

interface Page {
  readonly infos: readonly ObjectInfo[];
  /** The listing has ended or failed: objects that came before are given first. */
  readonly end?: { readonly error?: unknown };
}

async function nextPage(objects: AsyncIterator<ObjectInfo>): Promise<Page> {
  const infos: ObjectInfo[] = [];
  try {
    while (infos.length < PAGE_OBJECTS) {
      const next = await objects.next();
      if (next.done === true) return { infos, end: {} };
      infos.push(next.value);
    }
    return { infos };
  } catch (error) {
    return { infos, end: { error } };
  }
}
