import { lastValueFrom, scan } from "rxjs";

import type { DiskTarget } from "../contract/disk-target.ts";
import { IntegrityError, SourceError } from "../errors/errors.ts";
import { PAGE_ENTRIES } from "../repository/block-map-page.ts";
import type { BlockMapReader } from "../repository/block-map-reader.ts";
import type { ChunkId } from "../repository/digest.ts";
import { pullInLanes } from "./pull-in-lanes.ts";

export interface RestoreDiskOptions {
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly blockBytes: number;
  /** Proved plain bytes of a chunk. */
  readonly loadChunk: (id: ChunkId, signal: AbortSignal) => Promise<Uint8Array>;
  readonly target: DiskTarget;
  readonly lanes: number;
  readonly onProgress?: (done: RestoreTotals) => void;
  readonly signal: AbortSignal;
}

/** In bytes. `doneBytes` counts zeros too, `writtenBytes` only what was written as data. */
export interface RestoreTotals {
  readonly doneBytes: number;
  readonly writtenBytes: number;
}

type RestoreItem =
  | { readonly id: null; readonly offset: number; readonly length: number }
  | { readonly id: ChunkId; readonly offset: number; readonly length: number };

const NOTHING: RestoreTotals = { doneBytes: 0, writtenBytes: 0 };

/** The backup's road backwards: block map → chunks → blocks into the target, zeros as ranges; then flushed. */
export async function restoreDisk(options: RestoreDiskOptions): Promise<RestoreTotals> {
  const { target, loadChunk, lanes, logicalBytes, signal } = options;
  if (target.logicalBytes < logicalBytes) {
    throw new SourceError(`the target of disk ${target.diskId} is smaller than the disk`, {
      context: { target: target.logicalBytes, disk: logicalBytes },
    });
  }
  const work = async (item: RestoreItem, lane: AbortSignal): Promise<RestoreTotals> => {
    if (item.id === null) {
      await target.zero(item.offset, item.length, lane);
      return { doneBytes: item.length, writtenBytes: 0 };
    }
    const plain = await loadChunk(item.id, lane);
    if (plain.byteLength !== item.length) {
      throw new IntegrityError(`the block at ${item.offset} has ${plain.byteLength} bytes instead of ${item.length}`);
    }
    await target.write(item.offset, plain, lane);
    return { doneBytes: item.length, writtenBytes: item.length };
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

/** Blocks in order; neighbouring zeros are one range, also across leaves. */
async function* planRestore(options: RestoreDiskOptions): AsyncGenerator<RestoreItem> {
  const { map, blockBytes, logicalBytes, signal } = options;
  let zeroStart = -1;
  const zeros = (end: number): RestoreItem => ({ id: null, offset: zeroStart, length: end - zeroStart });
  for (let leaf = 0; leaf < map.leafCount; leaf += 1) {
    const first = leaf * PAGE_ENTRIES * blockBytes;
    if (map.leafId(leaf) === null) {
      if (zeroStart < 0) zeroStart = first;
      continue;
    }
    for (const [index, id] of (await map.leaf(leaf, signal)).entries()) {
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
