import type { DamagedObject } from "../../format/damaged-object.ts";
import type { ObjectKey } from "@ovault/contract";
import { grown } from "../../util/grown.ts";

/** The known index objects and the packs they list, so that a later load reads only new ones. */
export class LoadedIndex {
  readonly damaged = new Map<ObjectKey, DamagedObject>();
  /** Numbers of the packs that each intact index object lists. */
  readonly #objects = new Map<ObjectKey, Uint32Array>();
  /** Put by this process, and not yet seen in a listing of the store, which may lag. */
  readonly #unseen = new Set<ObjectKey>();
  /** By pack: number of index objects that list it. */
  #listings = new Uint32Array(1);

  /** The numbers of their packs, by key of the index object. */
  get objects(): ReadonlyMap<ObjectKey, Uint32Array> {
    return this.#objects;
  }

  /** Objects that a listing has shown: only these can be missing from the next. */
  seen(): ObjectKey[] {
    return [...this.#objects.keys(), ...this.damaged.keys()].filter((key) => !this.#unseen.has(key));
  }

  /** Notes that a listing shows this object. True when it is already known. */
  see(key: ObjectKey): boolean {
    this.#unseen.delete(key);
    return this.#objects.has(key);
  }

  /** Adds an object that was read. */
  add(key: ObjectKey, packs: Uint32Array): void {
    this.delete(key);
    this.#objects.set(key, packs);
    for (const pack of packs) {
      this.#listings = grown(this.#listings, pack + 1);
      this.#listings[pack] = (this.#listings[pack] ?? 0) + 1;
    }
  }

  /** Adds an object that this process has put. */
  addOwn(key: ObjectKey, packs: Uint32Array): void {
    if (this.#objects.has(key)) return;
    this.add(key, packs);
    this.#unseen.add(key);
  }

  /** Forgets an object, and answers which packs no other object lists. */
  delete(key: ObjectKey): number[] {
    const packs = this.#objects.get(key) ?? new Uint32Array();
    this.#objects.delete(key);
    this.damaged.delete(key);
    for (const pack of packs) this.#listings[pack] = (this.#listings[pack] ?? 0) - 1;
    return [...new Set(packs)].filter((pack) => !this.lists(pack));
  }

  /** Whether any of the objects lists this pack. */
  lists(pack: number): boolean {
    return (this.#listings[pack] ?? 0) > 0;
  }
}
