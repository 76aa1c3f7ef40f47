/** Most out-of-order pieces in one reply; more is an attack on our memory. */
const MAX_STRAY_PIECES = 65_536;

/**
 * Checks whether pieces, in any order, cover a range exactly once. Pieces in ascending order, which servers send, cost
 * nothing.
 */
export class Coverage {
  readonly #length: number;
  #coveredTo = 0;
  #strays: { readonly start: number; readonly end: number }[] = [];

  constructor(length: number) {
    this.#length = length;
  }

  /** Returns false for a piece that is empty, lies outside the range or exceeds the limit. */
  add(start: number, length: number): boolean {
    if (length < 1 || start < 0 || start + length > this.#length) return false;
    if (start === this.#coveredTo) this.#coveredTo += length;
    else this.#strays.push({ start, end: start + length });
    return this.#strays.length <= MAX_STRAY_PIECES;
  }

  /** True when every byte was covered once, and none twice. */
  isExact(): boolean {
    let position = this.#coveredTo;
    for (const { start, end } of this.#strays.toSorted((a, b) => a.start - b.start)) {
      if (start !== position) return false;
      position = end;
    }
    return position === this.#length;
  }
}
