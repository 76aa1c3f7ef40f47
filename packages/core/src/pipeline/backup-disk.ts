import {
  defaultIfEmpty,
  distinctUntilChanged,
  lastValueFrom,
  merge,
  sampleTime,
  share,
  takeLast,
  type Observable,
} from "rxjs";

import { type DiskSource, type DiskStats, SourceError, type SpanEvent, isZero } from "@ovault/contract";
import type { BufferPool } from "./buffer-pool.ts";
import { countBlocks, NO_BLOCKS, type BlockOutcome, type BlockTotals } from "./count-blocks.ts";
import { planBlocks, type BlockRead, type BlockSpan, type PlannedBlocks } from "./plan-blocks.ts";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import { readBlock, type ReadBaseBlock } from "./read-block.ts";
import { validateExtents } from "./validate-extents.ts";

/** Where the blocks of one disk go, from several lanes and in any order, each block once. */
export interface BlockSink {
  /** Stores a block that is not all zeros. `plain` belongs to the caller again when this resolves. */
  put(block: number, plain: Uint8Array, signal: AbortSignal): Promise<StoredBlock>;
  /** Sets blocks to zeros, or to what the base has. */
  fill(first: number, count: number, kind: "zero" | "unchanged", signal: AbortSignal): Promise<void>;
}

export interface StoredBlock {
  /** `unchanged`: the base has it at the same place; `known`: the store had it. */
  readonly kind: "unchanged" | "new" | "known";
  /** Bytes added to the store. */
  readonly storedBytes: number;
}

/** The same disk in the base recovery point. */
export interface BaseDisk {
  readonly logicalBytes: number;
  readonly readBlock: ReadBaseBlock;
}

export interface BackupDiskOptions {
  readonly source: DiskSource;
  readonly sink: BlockSink;
  readonly base: BaseDisk | undefined;
  readonly blockBytes: number;
  /** Buffers of one block each, shared by all disks of a run; a lane for each. */
  readonly buffers: BufferPool;
  readonly onProgress: (event: SpanEvent) => void;
  readonly signal: AbortSignal;
}

const PROGRESS_MS = 250;

/**
 * Backs up one disk: extents → blocks → read → skip zeroes → store. One lane carries a block all the way, in one pooled
 * buffer.
 */
export async function backupDisk(options: BackupDiskOptions): Promise<DiskStats> {
  const { source, base, blockBytes, buffers, signal } = options;
  const { logicalBytes } = source.disk;
  if (source.mode === "incremental" && base === undefined) {
    throw new SourceError(`disk ${source.disk.alias} is incremental but its base has no such disk`);
  }
  const extents = validateExtents(source.extents(signal), logicalBytes);
  const plan = planBlocks(extents, { blockBytes, logicalBytes, baseBlocks: coveredBlocks(options) });
  const takeBlock = blockTaker(options);
  const takeSpan = spanTaker(options);
  const work = (item: PlannedBlocks, lane: AbortSignal): Promise<BlockOutcome> =>
    item.kind === "read" ? takeBlock(item, lane) : takeSpan(item, lane);

  const totals = pullInLanes(plan, Math.max(1, Math.min(buffers.count, source.maxReads)), work, signal).pipe(
    countBlocks(),
    defaultIfEmpty(NO_BLOCKS),
    share(),
  );
  report(totals, options);
  return statsOf(logicalBytes, await lastValueFrom(totals));
}

/** Leading blocks of the disk that have the same length in the base, so that `unchanged` can refer to them. */
function coveredBlocks({ source, base, blockBytes }: BackupDiskOptions): number {
  if (base === undefined || source.mode !== "incremental") return 0;
  const { logicalBytes } = source.disk;
  if (base.logicalBytes === logicalBytes) return Math.ceil(logicalBytes / blockBytes);
  return Math.floor(Math.min(base.logicalBytes, logicalBytes) / blockBytes);
}

function spanTaker({ source, sink, blockBytes }: BackupDiskOptions) {
  return async ({ kind, first, count }: BlockSpan, signal: AbortSignal): Promise<BlockOutcome> => {
    await sink.fill(first, count, kind, signal);
    const end = Math.min((first + count) * blockBytes, source.disk.logicalBytes);
    return { kind, blocks: count, logicalBytes: end - first * blockBytes, readBytes: 0, storedBytes: 0 };
  };
}

function blockTaker({ source, sink, base, buffers }: BackupDiskOptions) {
  return (read: BlockRead, signal: AbortSignal): Promise<BlockOutcome> =>
    buffers.lend(async (buffer) => {
      const { block, length } = read;
      const plain = buffer.subarray(0, length);
      const readBytes = await readBlock(read, plain, source, base?.readBlock, signal);
      const outcome = { blocks: 1, logicalBytes: length, readBytes };
      if (!isZero(plain)) return { ...outcome, ...(await sink.put(block, plain, signal)) };
      await sink.fill(block, 1, "zero", signal);
      return { ...outcome, kind: "zero", storedBytes: 0 };
    });
}

/** A sample now and then, and always the end of a disk that was taken whole, however short it is. */
function report(totals: Observable<BlockTotals>, { source: { disk }, onProgress }: BackupDiskOptions): void {
  const next = ({ doneBytes, readBytes, storedBytes }: BlockTotals): void =>
    onProgress({ diskId: disk.id, doneBytes, logicalBytes: disk.logicalBytes, readBytes, storedBytes });
  // The caller gets the error through the totals themselves.
  merge(totals.pipe(sampleTime(PROGRESS_MS)), totals.pipe(takeLast(1)))
    .pipe(distinctUntilChanged())
    .subscribe({ next, error: () => undefined });
}

function statsOf(logicalBytes: number, totals: BlockTotals): DiskStats {
  return {
    logicalBytes,
    readBytes: totals.readBytes,
    storedBytes: totals.storedBytes,
    zeroBlocks: totals.zero,
    unchangedBlocks: totals.unchanged,
    newBlocks: totals.new,
    knownBlocks: totals.known,
  };
}
