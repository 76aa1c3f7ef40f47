import type { ObjectKey } from "../contract/object-store.ts";
import { grown } from "../util/grown.ts";

/** A damaged object found while the index was loaded, with the error that tells why. */
export interface DamagedObject {
  readonly key: ObjectKey;
  readonly error: unknown;
}

/** Which index objects were read so far, and the packs they list, so that a later look reads only what is new. */
export class LoadedIndex {
  readonly damaged = new Map<ObjectKey, DamagedObject>();
  /** Numbers of the packs that each whole index object lists. */
  readonly #objects = new Map<ObjectKey, Uint32Array>();
  /** By pack: in how many index objects it is. */
  #listings = new Uint32Array(1);

  keys(): readonly ObjectKey[] {
    return [...this.#objects.keys()];
  }

  has(key: ObjectKey): boolean {
    return this.#objects.has(key);
  }

  add(key: ObjectKey, packs: Uint32Array): void {
    this.delete(key);
    this.#objects.set(key, packs);
    for (const pack of packs) {
      this.#listings = grown(this.#listings, pack + 1);
      this.#listings[pack] = (this.#listings[pack] ?? 0) + 1;
    }
  }

  /** Forgets an object, and answers which packs are in no other. */
  delete(key: ObjectKey): readonly number[] {
    const unlisted: number[] = [];
    for (const pack of this.#objects.get(key) ?? []) {
      const left = (this.#listings[pack] ?? 0) - 1;
      this.#listings[pack] = left;
      if (left === 0) unlisted.push(pack);
    }
    this.#objects.delete(key);
    return unlisted;
  }
}
