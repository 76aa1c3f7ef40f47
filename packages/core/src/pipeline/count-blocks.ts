import { scan, type OperatorFunction } from "rxjs";

/** The result of one block or one span of blocks. All but `blocks` in bytes. */
export interface BlockOutcome {
  readonly kind: "zero" | "unchanged" | "new" | "known";
  readonly blocks: number;
  readonly logicalBytes: number;
  readonly readBytes: number;
  readonly storedBytes: number;
}

/** Running totals of a disk. */
export interface BlockTotals {
  readonly doneBytes: number;
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly zero: number;
  readonly unchanged: number;
  readonly new: number;
  readonly known: number;
}

export const NO_BLOCKS: BlockTotals = {
  doneBytes: 0,
  readBytes: 0,
  storedBytes: 0,
  zero: 0,
  unchanged: 0,
  new: 0,
  known: 0,
};

/** Sums outcomes up. */
export function countBlocks(): OperatorFunction<BlockOutcome, BlockTotals> {
  return scan(
    (totals, { kind, blocks, logicalBytes, readBytes, storedBytes }) => ({
      ...totals,
      doneBytes: totals.doneBytes + logicalBytes,
      readBytes: totals.readBytes + readBytes,
      storedBytes: totals.storedBytes + storedBytes,
      [kind]: totals[kind] + blocks,
    }),
    NO_BLOCKS,
  );
}
