import type { DiskTarget } from "../contract/disk-target.ts";
import type { DiskRecord, RecoveryPoint } from "../contract/recovery-point.ts";
import { observe, type RunHooks } from "../hooks/run-hooks.ts";
import { restoreDisk, type RestoreTotals } from "../pipeline/restore-disk.ts";
import type { Repository } from "../repository/repository.ts";
import { SourceError } from "../errors/errors.ts";

export interface RestoreDisksOptions {
  readonly point: RecoveryPoint;
  readonly repository: Repository;
  readonly pairs: readonly { readonly record: DiskRecord; readonly target: DiskTarget }[];
  readonly lanes: number;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
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

/** Fills all targets, one disk after the other; every target is flushed when this resolves. */
export async function restoreDisks(options: RestoreDisksOptions): Promise<RestoreTotals> {
  const { point, repository, pairs, lanes, hooks, signal } = options;
  let doneBytes = 0;
  let writtenBytes = 0;
  for (const { record, target } of pairs) {
    const { logicalBytes } = record.stats;
    const totals = await restoreDisk({
      map: await repository.openMap(point, record, signal),
      logicalBytes,
      blockBytes: point.blockBytes,
      loadChunk: (id, chunkSignal) => repository.chunks.load(id, chunkSignal),
      target,
      lanes,
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
  }
  return { doneBytes, writtenBytes };
}
