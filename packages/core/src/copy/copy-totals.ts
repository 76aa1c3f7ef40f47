/** Progress of a copy. */
export interface CopyTotals {
  /** Bytes of the disk accounted for so far. */
  readonly doneBytes: number;
  /** Plain bytes that were read from the source. */
  readonly readBytes: number;
  /** Added to the destination, after compression. */
  readonly storedBytes: number;
}

export const NOTHING_COPIED: CopyTotals = { doneBytes: 0, readBytes: 0, storedBytes: 0 };

export function sumOf(all: Iterable<CopyTotals>): CopyTotals {
  let sum = NOTHING_COPIED;
  for (const { doneBytes, readBytes, storedBytes } of all) {
    sum = {
      doneBytes: sum.doneBytes + doneBytes,
      readBytes: sum.readBytes + readBytes,
      storedBytes: sum.storedBytes + storedBytes,
    };
  }
  return sum;
}
