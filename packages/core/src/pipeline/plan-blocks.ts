import { type Extent, type ExtentKind, SourceError } from "@ovault/contract";

/** A range inside one block, in bytes from the start of the block. */
export interface BlockPart {
  readonly start: number;
  readonly end: number;
  readonly kind: ExtentKind;
}

/** Blocks that need no reading. */
export interface BlockSpan {
  readonly kind: "zero" | "unchanged";
  readonly first: number;
  readonly count: number;
}

/** One block that must be read, at least in part. `parts` cover it without gaps. */
export interface BlockRead {
  readonly kind: "read";
  readonly block: number;
  /** Offset on the disk, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly parts: readonly BlockPart[];
}

export type PlannedBlocks = BlockSpan | BlockRead;

export interface PlanOptions {
  readonly blockBytes: number;
  readonly logicalBytes: number;
  /** Leading blocks that the base has with the same length; an `unchanged` block beyond them is read. */
  readonly baseBlocks: number;
}

/**
 * Splits extents into blocks of one size. Covers every byte of the disk once, in order. A block is `zero` or
 * `unchanged` only if all of it lies in such extents; only the last block may be shorter. Descriptors only: this reads
 * no data, and a terabyte of zeros is one span.
 */
export async function* planBlocks(
  extents: AsyncIterable<Extent>,
  { blockBytes, logicalBytes, baseBlocks }: PlanOptions,
): AsyncGenerator<PlannedBlocks> {
  let parts: BlockPart[] = [];

  const blockEnd = (block: number): number => Math.min((block + 1) * blockBytes, logicalBytes);

  function* whole(first: number, count: number, kind: ExtentKind): Generator<PlannedBlocks> {
    const skipped = skippable(first, count, kind);
    if (skipped > 0 && kind !== "data") yield { kind, first, count: skipped };
    for (let block = first + skipped; block < first + count; block += 1) {
      const length = blockEnd(block) - block * blockBytes;
      yield {
        kind: "read",
        block,
        offset: block * blockBytes,
        length,
        parts: [{ start: 0, end: length, kind }],
      };
    }
  }

  function skippable(first: number, count: number, kind: ExtentKind): number {
    if (kind === "data") return 0;
    return kind === "zero" ? count : Math.max(0, Math.min(count, baseBlocks - first));
  }

  function* mixed(block: number): Generator<PlannedBlocks> {
    const covered = parts;
    parts = [];
    const kind = covered[0]?.kind ?? "data";
    const same = covered.every((part) => part.kind === kind);
    if (kind !== "data" && same && skippable(block, 1, kind) === 1) yield { kind, first: block, count: 1 };
    else yield { kind: "read", block, offset: block * blockBytes, length: covered.at(-1)?.end ?? 0, parts: covered };
  }

  for await (const { offset, length, kind } of extents) {
    const end = offset + length;
    for (let at = offset; at < end;) {
      const block = Math.floor(at / blockBytes);
      const aligned = at === block * blockBytes;
      const lastWhole = end === logicalBytes ? Math.ceil(end / blockBytes) : Math.floor(end / blockBytes);
      if (aligned && lastWhole > block) {
        yield* whole(block, lastWhole - block, kind);
        at = Math.min(lastWhole * blockBytes, logicalBytes);
      } else {
        const stop = Math.min(end, blockEnd(block));
        parts.push({ start: at - block * blockBytes, end: stop - block * blockBytes, kind });
        at = stop;
        if (at === blockEnd(block)) yield* mixed(block);
      }
    }
  }
  if (parts.length > 0) throw new SourceError("extents end inside a block", { context: { logicalBytes } });
}
