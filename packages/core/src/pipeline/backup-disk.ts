import { lastValueFrom, sampleTime, share, type Observable } from "rxjs";

import { type DiskSource, type DiskStats, SourceError, isZero } from "@ovault/contract";
import { BlockMapWriter } from "../repository/block-map/block-map-writer.ts";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import { sameId, type ChunkId } from "../format/digest.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { countBlocks, NO_BLOCKS, type BlockOutcome, type BlockTotals } from "./count-blocks.ts";
import { planBlocks, type BlockRead, type BlockSpan, type PlannedBlocks } from "./plan-blocks.ts";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import { readBlock, type ReadBaseBlock } from "./read-block.ts";
import { validateExtents } from "./validate-extents.ts";

/** The repository as the pipeline sees it: stores each chunk and page once. */
export interface ChunkSink {
  /** Id of these bytes, computed off the main thread. They must not change meanwhile. */
  idOf(plain: Uint8Array): Promise<ChunkId>;
  /** Resolves to the bytes added, 0 when the chunk was known. */
  store(kind: "data" | "pages", id: ChunkId, plain: Uint8Array): Promise<number>;
}

/** The same disk in the base recovery point. */
export interface BaseDisk {
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly readBlock: ReadBaseBlock;
}

export interface BackupDiskOptions {
  readonly source: DiskSource;
  readonly sink: ChunkSink;
  readonly base: BaseDisk | undefined;
  readonly blockBytes: number;
  /** Buffers of one block each, shared by all disks of a run. */
  readonly buffers: BufferPool;
  readonly lanes: number;
  readonly onProgress?: (totals: BlockTotals) => void;
  readonly signal: AbortSignal;
}

export interface BackedUpDisk {
  /** Root of the block map, or null for a disk of zeros. Not durable until the sink is finished. */
  readonly blockMap: ChunkId | null;
  readonly stats: DiskStats;
}

const PROGRESS_MS = 250;

/**
 * Backs up one disk: extents → blocks → read → skip zeroes → dedupe → compress → write. One lane carries a block all
 * the way, in one pooled buffer.
 */
export async function backupDisk(options: BackupDiskOptions): Promise<BackedUpDisk> {
  const { source, sink, base, blockBytes, lanes, signal } = options;
  const { logicalBytes } = source.disk;
  if (source.mode === "incremental" && base === undefined) {
    throw new SourceError(`disk ${source.disk.alias} is incremental but its base has no such disk`);
  }
  const blockCount = Math.ceil(logicalBytes / blockBytes);
  const map = new BlockMapWriter(blockCount, (page) => storePage(sink, page), base?.map);
  const extents = validateExtents(source.extents(signal), logicalBytes);
  const plan = planBlocks(extents, { blockBytes, logicalBytes, baseBlocks: coveredBlocks(options) });
  const takeBlock = blockTaker(options, map);
  const takeSpan = spanTaker(options, map);
  const work = (item: PlannedBlocks, lane: AbortSignal): Promise<BlockOutcome> =>
    item.kind === "read" ? takeBlock(item, lane) : takeSpan(item, lane);

  const totals = pullInLanes(plan, Math.max(1, Math.min(lanes, source.maxReads)), work, signal).pipe(
    countBlocks(),
    share(),
  );
  report(totals, options.onProgress);
  const end = await lastValueFrom(totals, { defaultValue: NO_BLOCKS });
  return { blockMap: await map.finish(), stats: statsOf(logicalBytes, end) };
}

async function storePage(sink: ChunkSink, page: Uint8Array): Promise<ChunkId> {
  const id = await sink.idOf(page);
  await sink.store("pages", id, page);
  return id;
}

/** Leading blocks of the disk that have the same length in the base, so that `unchanged` can refer to them. */
function coveredBlocks({ source, base, blockBytes }: BackupDiskOptions): number {
  if (base === undefined || source.mode !== "incremental") return 0;
  const { logicalBytes } = source.disk;
  if (base.logicalBytes === logicalBytes) return Math.ceil(logicalBytes / blockBytes);
  return Math.floor(Math.min(base.logicalBytes, logicalBytes) / blockBytes);
}

function spanTaker({ source, blockBytes }: BackupDiskOptions, map: BlockMapWriter) {
  return async ({ kind, first, count }: BlockSpan, signal: AbortSignal): Promise<BlockOutcome> => {
    await map.fill(first, count, kind, signal);
    const end = Math.min((first + count) * blockBytes, source.disk.logicalBytes);
    return { kind, blocks: count, logicalBytes: end - first * blockBytes, readBytes: 0, storedBytes: 0 };
  };
}

function blockTaker({ source, sink, base, buffers }: BackupDiskOptions, map: BlockMapWriter) {
  return (read: BlockRead, signal: AbortSignal): Promise<BlockOutcome> =>
    buffers.lend(async (buffer) => {
      const { block, length } = read;
      const plain = buffer.subarray(0, length);
      const readBytes = await readBlock(read, plain, source, base?.readBlock, signal);
      const outcome = { blocks: 1, logicalBytes: length, readBytes };
      if (isZero(plain)) {
        await map.set(block, null);
        return { ...outcome, kind: "zero", storedBytes: 0 };
      }
      const id = await sink.idOf(plain);
      signal.throwIfAborted();
      const before = base === undefined || block >= base.map.blockCount ? null : await base.map.chunkOf(block, signal);
      const same = before !== null && sameId(before, id);
      const storedBytes = await sink.store("data", id, plain);
      await map.set(block, id);
      const kind = same ? "unchanged" : storedBytes > 0 ? "new" : "known";
      return { ...outcome, kind, storedBytes };
    });
}

function report(totals: Observable<BlockTotals>, onProgress: ((totals: BlockTotals) => void) | undefined): void {
  if (onProgress === undefined) return;
  // The caller gets the error through the totals themselves.
  totals.pipe(sampleTime(PROGRESS_MS)).subscribe({ next: onProgress, error: () => undefined });
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
