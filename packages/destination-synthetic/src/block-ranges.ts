import { SUM_BLOCK_BYTES } from "./block-sums.ts";

/** The part of a range that lies in one block. */
export interface BlockPart {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
}

/** A range, cut where blocks begin. */
export function* blockParts(offset: number, length: number): Generator<BlockPart> {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const block = Math.floor(at / SUM_BLOCK_BYTES);
    const next = Math.min(end, (block + 1) * SUM_BLOCK_BYTES);
    yield { block, offset: at, length: next - at };
    at = next;
  }
}

export interface Run<Kind> {
  readonly kind: Kind;
  readonly offset: number;
  readonly length: number;
}

/** Joins neighbours of one kind. */
export function* runsOf<Kind>(parts: Iterable<Run<Kind>>): Generator<Run<Kind>> {
  let run: Run<Kind> | undefined;
  for (const part of parts) {
    if (run?.kind === part.kind && run.offset + run.length === part.offset) {
      run = { ...run, length: run.length + part.length };
      continue;
    }
    if (run !== undefined) yield run;
    run = part;
  }
  if (run !== undefined) yield run;
}
