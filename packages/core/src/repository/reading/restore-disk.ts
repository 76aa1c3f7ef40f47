import { type DiskTarget, IntegrityError, messageOf } from "@ovault/contract";
import { leavesOf } from "../block-map/block-map-leaves.ts";
import type { BlockMapReader } from "../block-map/block-map-reader.ts";
import { type RoomFor, roomsIn } from "../chunks/chunk-reader.ts";
import type { ChunkId } from "../../format/digest.ts";
import { release } from "../../util/release.ts";
import {
  type DiskRange,
  type RestoreItem,
  restoreInLanes,
  type RestoreTotals,
} from "../../pipeline/restore-in-lanes.ts";
import type { RestoreDiskOptions } from "../../points/point-store.ts";

export interface RestoreChunksOptions extends RestoreDiskOptions {
  /** Opened tolerantly if `onLost` is set. */
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly blockBytes: number;
  readonly chunks: ChunkSource;
  readonly target: DiskTarget;
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

interface StoredBlock extends DiskRange {
  readonly id: ChunkId;
}

/** Restores one disk: block map → chunks → blocks into the target. */
export async function restoreDisk(options: RestoreChunksOptions): Promise<RestoreTotals> {
  const restore = (blocks: readonly StoredBlock[], room: Uint8Array, lane: AbortSignal): Promise<RestoreTotals> =>
    restoreBlocks(options, { blocks, room }, lane);
  return await restoreInLanes({ ...options, items: planRestore(options), restore });
}

async function restoreBlocks(
  options: RestoreChunksOptions,
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
  { chunks, onLost }: RestoreChunksOptions,
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

/** Consecutive data blocks together; zero blocks between them are skipped. Adjacent zeros are one range, also across leaves. */
async function* planRestore(options: RestoreChunksOptions): AsyncGenerator<RestoreItem<readonly StoredBlock[]>> {
  const together = Math.max(1, Math.floor(options.buffers.bufferBytes / options.blockBytes));
  let blocks: StoredBlock[] = [];
  for await (const { id, ...range } of planBlocks(options)) {
    if (id === null) yield { kind: "zeros", range };
    else blocks.push({ id, ...range });
    if (blocks.length < together) continue;
    yield { kind: "data", data: blocks };
    blocks = [];
  }
  if (blocks.length > 0) yield { kind: "data", data: blocks };
}

/** Null for a range of zeros. */
async function* planBlocks(options: RestoreChunksOptions): AsyncGenerator<DiskRange & { readonly id: ChunkId | null }> {
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
