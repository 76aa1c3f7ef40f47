import type { DiskSource, RecoveryPoint, VirtualMachine } from "@ovault/contract";
import { type Repository, restoreToTarget } from "@ovault/core";
import { backupDisks } from "@ovault/core/internal/repository/writing/backup-disks";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import { MemoryTarget } from "@ovault/testkit";

import { barePoint } from "./bare-point.ts";

export const never = new AbortController().signal;

export function vmOf(id = "vm-1"): VirtualMachine {
  return { id, name: id, manager: "lab", status: "up", disks: [], attributes: {} };
}

/** Pipeline, packs, index and manifest, without a strategy. */
export async function takePoint(
  repository: Repository,
  sources: readonly DiskSource[],
  options: { base?: RecoveryPoint | undefined; lanes?: number; signal?: AbortSignal } = {},
): Promise<RecoveryPoint> {
  const { base, lanes = 4, signal = never } = options;
  const writer = repository.writer(signal);
  const takenAt = new Date();
  try {
    const buffers = new BufferPool(lanes, repository.settings.blockBytes);
    const disks = await backupDisks(sources, { repository, writer, base, buffers, onProgress: () => {}, signal });
    await writer.finish();
    const point = barePoint(vmOf(), {
      id: await repository.points.nextId(vmOf(), takenAt, signal),
      takenAt,
      sealedAt: new Date().toISOString(),
      basePoint: base?.id ?? null,
      blockBytes: repository.settings.blockBytes,
      disks,
    });
    await repository.points.seal(point, signal);
    return point;
  } finally {
    await writer.idle();
  }
}

/** The bytes of a disk of a point, by way of the restore pipeline. */
export async function restoredBytes(repository: Repository, point: RecoveryPoint, disk = 0): Promise<Uint8Array> {
  const record = point.disks[disk];
  if (record === undefined) throw new Error(`no disk ${disk}`);
  const target = new MemoryTarget(record.disk.id, record.stats.logicalBytes);
  await restoreToTarget({ point, record, target, store: repository, taps: [], signal: never });
  if (!target.flushed) throw new Error("the target was not flushed");
  return target.bytes;
}
