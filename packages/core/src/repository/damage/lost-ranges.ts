/** A range of a disk that cannot be read back, in bytes. */
export interface LostRange {
  readonly offset: number;
  readonly length: number;
  /** Why, for people. */
  readonly reason: string;
}

/** What is lost of one disk of a point. */
export interface DiskLosses {
  /** Id. */
  readonly disk: string;
  readonly alias: string;
  /** In bytes; less than the ranges together when ranges were joined. */
  readonly lostBytes: number;
  /** Ascending. Everything that is lost is in one of them. */
  readonly ranges: readonly LostRange[];
}

/** Held at once unless told otherwise. */
const MOST_RANGES = 10_000;

/**
 * Gathers what is lost of one disk, in whatever order it is found. Neighbours become one range. Memory is bounded: beyond
 * `most` ranges those that are near each other become one, together with what lies between them, which is not lost.
 */
export class LostRanges {
  /** Ascending; they do not touch. */
  readonly #ranges: LostRange[] = [];
  readonly #most: number;
  #lostBytes = 0;

  constructor(most = MOST_RANGES) {
    this.#most = most;
  }

  /** What is lost, without what only lies between. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Ascending. Everything lost is in one of them. */
  get ranges(): readonly LostRange[] {
    return this.#ranges;
  }

  /** Every byte is said once. */
  add(range: LostRange): void {
    this.#lostBytes += range.length;
    const after = this.#firstAfter(range.offset);
    const before = this.#ranges[after - 1];
    const touches = before !== undefined && endOf(before) >= range.offset;
    this.#replace(touches ? after - 1 : after, touches ? 1 : 0, touches ? join(before, range) : range);
    if (this.#ranges.length > this.#most) this.#joinNearest();
  }

  /** Puts a range in the place of `count` others, together with those after them that it touches. */
  #replace(at: number, count: number, range: LostRange): void {
    let joined = range;
    let end = at + count;
    for (let next = this.#ranges[end]; next !== undefined && next.offset <= endOf(joined); next = this.#ranges[end]) {
      joined = join(joined, next);
      end += 1;
    }
    this.#ranges.splice(at, end - at, joined);
  }

  /** Number of the first range that begins after `offset`. */
  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.offset ?? Infinity) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Halves the number of ranges: the narrowest gaps are given up. */
  #joinNearest(): void {
    const gaps = this.#ranges.slice(1).map((range, at) => gapBefore(range, this.#ranges[at]));
    const widest = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
    const all = this.#ranges.splice(0);
    for (const range of all) {
      const last = this.#ranges.at(-1);
      if (last !== undefined && gapBefore(range, last) <= widest) this.#ranges.splice(-1, 1, join(last, range));
      else this.#ranges.push(range);
    }
  }
}

function endOf({ offset, length }: LostRange): number {
  return offset + length;
}

function gapBefore(range: LostRange, before: LostRange | undefined): number {
  return before === undefined ? 0 : range.offset - endOf(before);
}

/** The reason of the first one stands for both. */
function join(first: LostRange, second: LostRange): LostRange {
  return { ...first, length: Math.max(endOf(first), endOf(second)) - first.offset };
}
