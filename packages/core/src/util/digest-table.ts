const FIRST_SLOTS = 1 << 8;
const FULLEST = 0.75;

/** What `recordAt` answers where a search ends. */
export const NO_RECORD = -1;

/**
 * Finds numbered records by their digests: an open-addressed table of 4-byte slots. Digests are uniform, so one word of
 * them is all the hash it takes.
 *
 * A slot holds the number of a record plus one in as many bits as the table's size needs, and bits of the hash in the
 * rest, so that a search rarely looks at a wrong record. Records with one hash come in the order in which they were
 * added.
 */
export class DigestTable {
  #slots: Uint32Array<ArrayBuffer>;
  #mask: number;

  /** `slots` is a power of two. */
  constructor(slots: number = FIRST_SLOTS) {
    this.#slots = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** The table's memory: filled with that of another table of the same size, it becomes the same table. */
  get slots(): Uint32Array<ArrayBuffer> {
    return this.#slots;
  }

  hasRoomFor(records: number): boolean {
    return records <= this.#slots.length * FULLEST;
  }

  /** Empties the table and makes room for this many records. */
  clear(records: number): void {
    let length = FIRST_SLOTS;
    while (records > length * FULLEST) length *= 2;
    // Freed now instead of by garbage collection, so that the old and the new table never exist at once.
    this.#slots.buffer.transfer(0);
    this.#slots = new Uint32Array(length);
    this.#mask = length - 1;
  }

  add(hash: number, record: number): void {
    let slot = hash & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = (hash & ~this.#mask) | (record + 1);
  }

  /** The slot of the first record that may have this hash, or the slot where the search for it ends. */
  first(hash: number): number {
    return this.#seek(hash & this.#mask, hash);
  }

  /** The same for the record after the one in `slot`. */
  next(slot: number, hash: number): number {
    return this.#seek((slot + 1) & this.#mask, hash);
  }

  recordAt(slot: number): number {
    return ((this.#slots[slot] ?? 0) & this.#mask) - 1;
  }

  #seek(from: number, hash: number): number {
    let slot = from;
    for (;;) {
      const held = this.#slots[slot] ?? 0;
      if (held === 0 || ((held ^ hash) & ~this.#mask) === 0) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }
}
