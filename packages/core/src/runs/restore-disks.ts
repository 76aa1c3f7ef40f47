import {
  type DiskTarget,
  type DiskRecord,
  type RecoveryPoint,
  observe,
  type RunHooks,
  SourceError,
} from "@ovault/contract";
import { BufferPool } from "../pipeline/buffer-pool.ts";
import type { RestoreTotals } from "../pipeline/restore-in-lanes.ts";
import { type DiskLosses, LostRanges } from "../points/lost-ranges.ts";
import type { PointStore } from "../points/point-store.ts";

export interface RestoreDisksOptions {
  readonly point: RecoveryPoint;
  readonly store: PointStore;
  readonly pairs: readonly { readonly record: DiskRecord; readonly target: DiskTarget }[];
  readonly lanes: number;
  /** Write zeros for unreadable data and report it, instead of failing the restore. */
  readonly salvage: boolean;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
}

export interface RestoredDisks extends RestoreTotals {
  /** Disks with lost data: empty unless the restore salvages. */
  readonly lost: readonly DiskLosses[];
}

/** Finds each target's disk in the point. */
export function pairTargets(
  point: RecoveryPoint,
  targets: readonly DiskTarget[],
): { readonly record: DiskRecord; readonly target: DiskTarget }[] {
  return targets.map((target) => {
    const record = point.disks.find((candidate) => candidate.disk.id === target.diskId);
    if (record === undefined) throw new SourceError(`recovery point ${point.id} has no disk ${target.diskId}`);
    return { record, target };
  });
}

/** Plain bytes that a lane loads together: neighbours on a disk are mostly close in a pack too. */
const TOGETHER_BYTES = 4 * 1024 * 1024;

/** Fills all targets, one disk after the other; every target is flushed when this resolves. */
export async function restoreDisks(options: RestoreDisksOptions): Promise<RestoredDisks> {
  const { point, store, pairs, lanes, salvage, hooks, signal } = options;
  const buffers = new BufferPool(lanes, TOGETHER_BYTES);
  let doneBytes = 0;
  let writtenBytes = 0;
  const lost: DiskLosses[] = [];
  for (const { record, target } of pairs) {
    const { logicalBytes } = record.stats;
    if (target.logicalBytes < logicalBytes) {
      throw new SourceError(`the target of disk ${target.diskId} is smaller than the disk`, {
        context: { target: target.logicalBytes, disk: logicalBytes },
      });
    }
    const missing = new LostRanges();
    const totals = await store.restoreDisk(point, record, target, {
      buffers,
      onLost: salvage ? (range) => missing.add(range) : undefined,
      onProgress: (done) =>
        observe(hooks.span, {
          diskId: record.disk.id,
          doneBytes: done.doneBytes,
          logicalBytes,
          readBytes: done.writtenBytes,
          storedBytes: 0,
        }),
      signal,
    });
    doneBytes += totals.doneBytes;
    writtenBytes += totals.writtenBytes;
    const { lostBytes, ranges } = missing;
    if (lostBytes > 0) lost.push({ disk: record.disk.id, alias: record.disk.alias, lostBytes, ranges });
  }
  return { doneBytes, writtenBytes, lost };
}
