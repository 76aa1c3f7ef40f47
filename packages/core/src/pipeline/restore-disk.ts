import { lastValueFrom, scan } from "rxjs";

import { type DiskTarget, IntegrityError, SourceError, messageOf } from "@ovault/contract";
import { leavesOf } from "../repository/block-map/block-map-leaves.ts";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import { type RoomFor, roomsIn } from "../repository/chunks/chunk-reader.ts";
import type { ChunkId } from "../format/digest.ts";
import { release } from "../util/release.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { LostRange } from "../points/lost-ranges.ts";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";

export interface RestoreDiskOptions {
  /** Opened tolerantly if `onLost` is set. */
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly blockBytes: number;
  readonly chunks: ChunkSource;
  readonly target: DiskTarget;
  readonly lanes: number;
  /** Each as large as the few blocks that a lane loads together. */
  readonly buffers: BufferPool;
  /**
   * Receives ranges that cannot be read, in any order; they become zeros. Without it, such a range fails the restore.
   */
  readonly onLost?: ((range: LostRange) => void) | undefined;
  readonly onProgress?: (done: RestoreTotals) => void;
  readonly signal: AbortSignal;
}

/** Loads blocks: proved plain bytes. */
export interface ChunkSource {
  /** Answers bytes in their own memory. @throws IntegrityError when the chunk cannot be read */
  load(id: ChunkId, signal: AbortSignal): Promise<Uint8Array>;
  /** Loads several with few requests; undefined for each that must be loaded by itself. */
  loadTogether(
    ids: readonly ChunkId[],
    roomFor: RoomFor,
    signal: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]>;
}

/** In bytes. `doneBytes` includes zeros, `writtenBytes` only what was written as data. */
export interface RestoreTotals {
  readonly doneBytes: number;
  readonly writtenBytes: number;
}

/** On the disk, in bytes. */
interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

interface StoredBlock extends DiskRange {
  readonly id: ChunkId;
}

type RestoreItem =
  | { readonly kind: "zeros"; readonly range: DiskRange }
  /** Consecutive data blocks; zero blocks between them are skipped. */
  | { readonly kind: "blocks"; readonly blocks: readonly StoredBlock[] };

const NOTHING: RestoreTotals = { doneBytes: 0, writtenBytes: 0 };

/** Restores one disk: block map → chunks → blocks into the target, zeros as ranges; then flushes. */
export async function restoreDisk(options: RestoreDiskOptions): Promise<RestoreTotals> {
  const { target, lanes, logicalBytes, buffers, signal } = options;
  if (target.logicalBytes < logicalBytes) {
    throw new SourceError(`the target of disk ${target.diskId} is smaller than the disk`, {
      context: { target: target.logicalBytes, disk: logicalBytes },
    });
  }
  const work = async (item: RestoreItem, lane: AbortSignal): Promise<RestoreTotals> => {
    if (item.kind === "blocks") return await buffers.lend((room) => restoreBlocks(options, { ...item, room }, lane));
    const { offset, length } = item.range;
    await target.zero(offset, length, lane);
    return { doneBytes: length, writtenBytes: 0 };
  };
  const totals = pullInLanes(planRestore(options), Math.max(1, Math.min(lanes, target.maxWrites)), work, signal).pipe(
    scan((sum, { doneBytes, writtenBytes }) => {
      const next = { doneBytes: sum.doneBytes + doneBytes, writtenBytes: sum.writtenBytes + writtenBytes };
      options.onProgress?.(next);
      return next;
    }, NOTHING),
  );
  const end = await lastValueFrom(totals, { defaultValue: NOTHING });
  await target.flush(signal);
  return end;
}

async function restoreBlocks(
  options: RestoreDiskOptions,
  { blocks, room }: { readonly blocks: readonly StoredBlock[]; readonly room: Uint8Array },
  signal: AbortSignal,
): Promise<RestoreTotals> {
  const { chunks, target } = options;
  const ids = blocks.map(({ id }) => id);
  const loaded = await chunks.loadTogether(ids, roomsIn(room), signal);
  let doneBytes = 0;
  let writtenBytes = 0;
  for (const [number, block] of blocks.entries()) {
    const { offset, length } = block;
    const plain = await plainOf(options, block, loaded[number], signal);
    if (plain === undefined) {
      await target.zero(offset, length, signal);
    } else {
      await target.write(offset, plain, signal);
      release(plain);
      writtenBytes += length;
    }
    doneBytes += length;
  }
  return { doneBytes, writtenBytes };
}

/** `undefined` if the block is lost and `onLost` is set. */
async function plainOf(
  { chunks, onLost }: RestoreDiskOptions,
  { id, offset, length }: StoredBlock,
  loaded: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const plain = loaded ?? (await chunks.load(id, signal));
    if (plain.byteLength === length) return plain;
    throw new IntegrityError(`the block at ${offset} has ${plain.byteLength} bytes instead of ${length}`);
  } catch (error) {
    if (onLost === undefined || !(error instanceof IntegrityError)) throw error;
    onLost({ offset, length, reason: error.message });
    return undefined;
  }
}

/** Blocks in order, some together; adjacent zeros are one range, also across leaves. */
async function* planRestore(options: RestoreDiskOptions): AsyncGenerator<RestoreItem> {
  const together = Math.max(1, Math.floor(options.buffers.bufferBytes / options.blockBytes));
  let blocks: StoredBlock[] = [];
  for await (const { id, ...range } of planBlocks(options)) {
    if (id === null) yield { kind: "zeros", range };
    else blocks.push({ id, ...range });
    if (blocks.length < together) continue;
    yield { kind: "blocks", blocks };
    blocks = [];
  }
  if (blocks.length > 0) yield { kind: "blocks", blocks };
}

/** Null for a range of zeros. */
async function* planBlocks(options: RestoreDiskOptions): AsyncGenerator<DiskRange & { readonly id: ChunkId | null }> {
  const { map, blockBytes, logicalBytes, onLost, signal } = options;
  let zeroStart = -1;
  const zeros = (end: number) => ({ id: null, offset: zeroStart, length: end - zeroStart });
  for await (const leaf of leavesOf(map, signal)) {
    const first = leaf.first * blockBytes;
    if (leaf.kind === "lost") {
      if (onLost === undefined) throw leaf.error;
      const length = Math.min(leaf.count * blockBytes, logicalBytes - first);
      onLost({ offset: first, length, reason: messageOf(leaf.error) });
    }
    if (leaf.kind !== "blocks") {
      if (zeroStart < 0) zeroStart = first;
      continue;
    }
    for (const [index, id] of leaf.ids.entries()) {
      const offset = first + index * blockBytes;
      if (id === null) {
        if (zeroStart < 0) zeroStart = offset;
        continue;
      }
      if (zeroStart >= 0) yield zeros(offset);
      zeroStart = -1;
      yield { id, offset, length: Math.min(blockBytes, logicalBytes - offset) };
    }
  }
  if (zeroStart >= 0 && zeroStart < logicalBytes) yield zeros(logicalBytes);
}
