/** A name of a file, and the directory that it is in. */
export interface Place {
  readonly directory: bigint;
  readonly name: string;
}

/** The places of each file below a root, by inode number: system calls want paths where NFS has handles. */
export class NodeTable {
  readonly root: bigint;
  /** Where a file was last seen comes first; further places are hard links, or no longer true. */
  readonly #places = new Map<bigint, readonly Place[]>();

  constructor(root: bigint) {
    this.root = root;
  }

  note(number: bigint, place: Place): void {
    if (number === this.root) return;
    this.#places.set(number, [place, ...this.#placesBut(number, place)]);
  }

  forget(number: bigint, place: Place): void {
    const left = this.#placesBut(number, place);
    if (left.length === 0) this.#places.delete(number);
    else this.#places.set(number, left);
  }

  placesOf(number: bigint): readonly Place[] {
    return this.#places.get(number) ?? [];
  }

  /** The names that lead from the root to a directory; undefined when that is not known. */
  namesTo(directory: bigint): readonly string[] | undefined {
    const names: string[] = [];
    for (let at = directory; at !== this.root;) {
      const [place] = this.placesOf(at);
      // A circle cannot come about, and must not hang the server.
      if (place === undefined || names.length > this.#places.size) return undefined;
      names.push(place.name);
      at = place.directory;
    }
    return names.toReversed();
  }

  #placesBut(number: bigint, { directory, name }: Place): readonly Place[] {
    return this.placesOf(number).filter((known) => known.directory !== directory || known.name !== name);
  }
}
