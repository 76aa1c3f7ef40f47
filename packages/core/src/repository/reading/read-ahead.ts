/** Blocks from `first` to the one before `end`. */
export interface BlockRange {
  readonly first: number;
  readonly end: number;
}

/** Sequential reads before read-ahead starts. */
const READS_IN_ORDER = 2;

/** Detects sequential reads of a disk, and says which blocks to fetch next. */
export class ReadAhead {
  readonly #aheadBlocks: number;
  readonly #blockCount: number;
  /** The last block that was read. */
  #last = -1;
  #inOrder = 0;
  /** Everything before it was read or fetched. */
  #fetchedEnd = 0;

  constructor(aheadBlocks: number, blockCount: number) {
    this.#aheadBlocks = aheadBlocks;
    this.#blockCount = blockCount;
  }

  /** Call it for every read. Answers the blocks to fetch, or an empty range. */
  next({ first, end }: BlockRange): BlockRange {
    // Concurrent reads of a client do not arrive exactly in order.
    const isNear = first >= this.#last - this.#aheadBlocks && first <= this.#last + this.#aheadBlocks;
    if (!isNear) {
      this.#inOrder = 0;
      this.#fetchedEnd = end;
    } else if (end - 1 > this.#last) {
      this.#inOrder += 1;
    }
    this.#last = isNear ? Math.max(this.#last, end - 1) : end - 1;
    if (this.#inOrder < READS_IN_ORDER) return { first: 0, end: 0 };
    const from = Math.max(end, this.#fetchedEnd);
    const to = Math.min(this.#last + 1 + this.#aheadBlocks, this.#blockCount);
    // Waits until one request can bring several blocks.
    if (to - from < this.#aheadBlocks / 4 && to < this.#blockCount) return { first: 0, end: 0 };
    this.#fetchedEnd = Math.max(this.#fetchedEnd, to);
    return { first: from, end: Math.max(from, to) };
  }
}
