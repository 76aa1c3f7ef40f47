import { defaultIfEmpty, lastValueFrom, scan, tap } from "rxjs";

import type { DiskTarget } from "@ovault/contract";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import type { BufferPool } from "./buffer-pool.ts";

/** On the disk, in bytes. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

/** In bytes. `doneBytes` includes zeros, `writtenBytes` only what was written as data. */
export interface RestoreTotals {
  readonly doneBytes: number;
  readonly writtenBytes: number;
}

/** What a lane does at once: a range of zeros, or data that a buffer has room for. */
export type RestoreItem<Data> =
  { readonly kind: "zeros"; readonly range: DiskRange } | { readonly kind: "data"; readonly data: Data };

export interface RestoreInLanesOptions<Data> {
  /** Covers the disk. */
  readonly items: AsyncIterable<RestoreItem<Data>>;
  /** Loads data into `room`, and writes it into the target. */
  readonly restore: (data: Data, room: Uint8Array, signal: AbortSignal) => Promise<RestoreTotals>;
  readonly target: DiskTarget;
  /** One lane for each buffer, as far as the target takes so many writes. */
  readonly buffers: BufferPool;
  readonly onProgress: (done: RestoreTotals) => void;
  readonly signal: AbortSignal;
}

const NOTHING: RestoreTotals = { doneBytes: 0, writtenBytes: 0 };

/** Restores one disk: data as `restore` does, zeros as ranges; then flushes. */
export async function restoreInLanes<Data>(options: RestoreInLanesOptions<Data>): Promise<RestoreTotals> {
  const { items, restore, target, buffers, signal } = options;
  const work = async (item: RestoreItem<Data>, lane: AbortSignal): Promise<RestoreTotals> => {
    if (item.kind === "data") return await buffers.lend((room) => restore(item.data, room, lane));
    const { offset, length } = item.range;
    await target.zero(offset, length, lane);
    return { doneBytes: length, writtenBytes: 0 };
  };
  const totals = pullInLanes(items, Math.max(1, Math.min(buffers.count, target.maxWrites)), work, signal).pipe(
    scan(
      (sum, { doneBytes, writtenBytes }) => ({
        doneBytes: sum.doneBytes + doneBytes,
        writtenBytes: sum.writtenBytes + writtenBytes,
      }),
      NOTHING,
    ),
    defaultIfEmpty(NOTHING),
    tap(options.onProgress),
  );
  const end = await lastValueFrom(totals);
  await target.flush(signal);
  return end;
}
