/** A set of bytes, kept as ascending ranges that do not touch. */
export class ByteRanges {
  #ranges: { readonly start: number; readonly end: number }[] = [];

  add(start: number, end: number): void {
    if (start >= end) return;
    const touching = this.#ranges.filter((range) => range.start <= end && range.end >= start);
    const merged = {
      start: Math.min(start, ...touching.map((range) => range.start)),
      end: Math.max(end, ...touching.map((range) => range.end)),
    };
    const apart = this.#ranges.filter((range) => !touching.includes(range));
    this.#ranges = [...apart, merged].toSorted((a, b) => a.start - b.start);
  }

  get bytes(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }
}
