import { randomBytes } from "node:crypto";

import { type ObjectKey, type ObjectStore, StoreFullError, ObjectNotFoundError } from "@ovault/contract";
import { delegate } from "../store/around-calls.ts";
import { isFull, unlessFull } from "../store/unless-full.ts";
import { CONDEMNED, LEASES, POINTS, RESERVE_KEY, VERDICTS } from "./layout.ts";

/** Room for the lists of 12,000 packs and their verdict; less where the store has no more room. */
const SIZES = [1024, 256, 64, 16].map((kibibytes) => kibibytes * 1024);
/** What `forget` and `prune` write before they delete anything. Packs and index objects would use up the reserve. */
const SMALL = [LEASES, CONDEMNED, VERDICTS, POINTS];

/**
 * Reserved room in the store for the steps that free space: an object without content of its own, deleted when one of
 * them finds no room for what it must write first. Its absence does no harm.
 */
export class Reserve {
  readonly #store: ObjectStore;
  /** Running steps that may use it. */
  #users = 0;
  #givenUp = false;

  /** @param store the store for the repository's documents */
  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** The same store. While `during` works, a put that finds no room is repeated after the reserve is deleted. */
  guarded(): ObjectStore {
    const store = this.#store;
    return {
      ...delegate(store),
      put: async (key, parts, options) => {
        try {
          return await store.put(key, parts, options);
        } catch (error) {
          if (!isFull(error) || !this.#mayBeUsedFor(key)) throw error;
          if (!(await this.#giveUp(options.signal))) throw noRoomLeft(error);
        }
        return await store.put(key, parts, options);
      },
    };
  }

  /** For work that frees space. Afterwards the reserve is put again as far as there is room. */
  async during<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0 && this.#givenUp) await this.keep(signal);
    }
  }

  /** Puts the reserve, as large as the room allows. */
  async keep(signal: AbortSignal): Promise<void> {
    const [whole = 0] = SIZES;
    const bytes = await this.#bytes(signal);
    if (bytes !== undefined && bytes >= whole) return;
    if (bytes !== undefined) await this.#store.delete(RESERVE_KEY, { signal });
    for (const size of SIZES) {
      // Incompressible content.
      const parts = [randomBytes(size)];
      const put = async (): Promise<void> =>
        void (await this.#store.put(RESERVE_KEY, parts, { ifAbsent: true, signal }));
      if (await unlessFull(put)) break;
    }
    this.#givenUp = false;
  }

  #mayBeUsedFor(key: ObjectKey): boolean {
    return this.#users > 0 && SMALL.some((prefix) => key.startsWith(prefix));
  }

  /** False when there is no reserve. */
  async #giveUp(signal: AbortSignal): Promise<boolean> {
    if ((await this.#bytes(signal)) === undefined) return false;
    await this.#store.delete(RESERVE_KEY, { signal });
    this.#givenUp = true;
    return true;
  }

  /** Undefined when there is no reserve. */
  async #bytes(signal: AbortSignal): Promise<number | undefined> {
    try {
      return (await this.#store.stat(RESERVE_KEY, { signal })).bytes;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    }
  }
}

/** The steps that free space have no room themselves: naming them as the next step would lead in a circle. */
function noRoomLeft({ message, context, cause, retry }: StoreFullError): StoreFullError {
  return new StoreFullError(message, {
    cause,
    context,
    retry,
    hint: (field) =>
      "Make some room by other means first: enlarge it, raise the quota, or delete what is not of ovault there. 1 MiB " +
      `is enough for \`ovault forget\`, and for \`ovault prune\` with ${field("repack", "none")} and ${field("graceMs", 0)}.`,
  });
}
