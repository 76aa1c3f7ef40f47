import { lastValueFrom, scan } from "rxjs";

import type { DiskTarget } from "../contract/disk-target.ts";
import { IntegrityError, SourceError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { leavesOf } from "../repository/block-map-leaves.ts";
import type { BlockMapReader } from "../repository/block-map-reader.ts";
import type { ChunkId } from "../repository/digest.ts";
import { messageOf } from "../util/message-of.ts";
import { release } from "../util/release.ts";
import type { LostRange } from "./lost-ranges.ts";
import { pullInLanes } from "./pull-in-lanes.ts";

export interface RestoreDiskOptions {
  /** Opened tolerantly where there is `onLost`. */
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly blockBytes: number;
  /** Proved plain bytes of a chunk, which are the caller's. */
  readonly loadChunk: (id: ChunkId, signal: AbortSignal) => Promise<Uint8Array>;
  readonly target: DiskTarget;
  readonly lanes: number;
  /** Told what cannot be read, in any order: it becomes zeros. Without it, it fails the restore. */
  readonly onLost?: ((range: LostRange) => void) | undefined;
  readonly onProgress?: (done: RestoreTotals) => void;
  readonly signal: AbortSignal;
}

/** In bytes. `doneBytes` counts zeros too, `writtenBytes` only what was written as data. */
export interface RestoreTotals {
  readonly doneBytes: number;
  readonly writtenBytes: number;
}

interface RestoreItem {
  /** Null for zeros. */
  readonly id: ChunkId | null;
  readonly offset: number;
  readonly length: number;
}

const NOTHING: RestoreTotals = { doneBytes: 0, writtenBytes: 0 };

/** The backup's road backwards: block map → chunks → blocks into the target, zeros as ranges; then flushed. */
export async function restoreDisk(options: RestoreDiskOptions): Promise<RestoreTotals> {
  const { target, lanes, logicalBytes, signal } = options;
  if (target.logicalBytes < logicalBytes) {
    throw new SourceError(`the target of disk ${target.diskId} is smaller than the disk`, {
      context: { target: target.logicalBytes, disk: logicalBytes },
    });
  }
  const work = async ({ id, offset, length }: RestoreItem, lane: AbortSignal): Promise<RestoreTotals> => {
    const plain = id === null ? undefined : await loadBlock(options, { id, offset, length }, lane);
    if (plain === undefined) {
      await target.zero(offset, length, lane);
      return { doneBytes: length, writtenBytes: 0 };
    }
    await target.write(offset, plain, lane);
    release(plain);
    return { doneBytes: length, writtenBytes: length };
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

/** Undefined for a block that is lost, where that is borne. */
async function loadBlock(
  { loadChunk, onLost }: RestoreDiskOptions,
  { id, offset, length }: RestoreItem & { readonly id: ChunkId },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const plain = await loadChunk(id, signal);
    if (plain.byteLength === length) return plain;
    throw new IntegrityError(`the block at ${offset} has ${plain.byteLength} bytes instead of ${length}`);
  } catch (error) {
    if (onLost === undefined || !hasCode(error, "E_INTEGRITY")) throw error;
    onLost({ offset, length, reason: error.message });
    return undefined;
  }
}

/** Blocks in order; neighbouring zeros are one range, also across leaves. */
async function* planRestore(options: RestoreDiskOptions): AsyncGenerator<RestoreItem> {
  const { map, blockBytes, logicalBytes, onLost, signal } = options;
  let zeroStart = -1;
  const zeros = (end: number): RestoreItem => ({ id: null, offset: zeroStart, length: end - zeroStart });
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
