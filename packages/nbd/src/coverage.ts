/** More out-of-order pieces than this in one reply is an attack on our memory, not an answer. */
const MAX_STRAY_PIECES = 65_536;

/**
 * Tells whether pieces, in any order, cover a range exactly once. Pieces in ascending order, which is what servers
 * send, cost nothing.
 */
export class Coverage {
  readonly #length: number;
  #coveredTo = 0;
  #strays: { readonly start: number; readonly end: number }[] = [];

  constructor(length: number) {
    this.#length = length;
  }

  /** Returns false for a piece that is empty, lies outside the range or is one too many. */
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
