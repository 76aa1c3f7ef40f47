/** A range of a disk that cannot be read back, in bytes. */
export interface LostRange {
  readonly offset: number;
  readonly length: number;
  /** The cause, for people. */
  readonly reason: string;
}

/** What is lost of one disk of a point. */
export interface DiskLosses {
  /** The disk's id. */
  readonly disk: string;
  readonly alias: string;
  /** Bytes actually lost; less than the ranges together when ranges were joined. */
  readonly lostBytes: number;
  /** Ascending. Together they cover everything that is lost. */
  readonly ranges: readonly LostRange[];
}

/** Default limit of ranges kept. */
const MOST_RANGES = 10_000;

/**
 * Gathers what is lost of one disk, found in any order. Adjacent ranges become one. Memory is bounded: beyond `most`
 * ranges it joins those nearest to each other, with the gap between them, which is not lost.
 */
export class LostRanges {
  /** Ascending, with gaps between them. */
  readonly #ranges: LostRange[] = [];
  readonly #most: number;
  #lostBytes = 0;

  constructor(most = MOST_RANGES) {
    this.#most = most;
  }

  /** Bytes actually lost, excluding gaps joined into a range. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Ascending. Together they cover everything that is lost. */
  get ranges(): readonly LostRange[] {
    return this.#ranges;
  }

  /** Ranges must not overlap. */
  add(range: LostRange): void {
    this.#lostBytes += range.length;
    const after = this.#firstAfter(range.offset);
    const before = this.#ranges[after - 1];
    const touches = before !== undefined && endOf(before) >= range.offset;
    this.#replace(touches ? after - 1 : after, touches ? 1 : 0, touches ? join(before, range) : range);
    if (this.#ranges.length > this.#most) this.#joinNearest();
  }

  /** Replaces `count` ranges by this one, joined with those after them that it touches. */
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

  /** Halves the number of ranges by closing the narrowest gaps. */
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

/** Keeps the first one's reason. */
function join(first: LostRange, second: LostRange): LostRange {
  return { ...first, length: Math.max(endOf(first), endOf(second)) - first.offset };
}
