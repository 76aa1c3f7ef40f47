import { ManagerError, type Disk } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { withoutSize } from "../engine/errors.ts";
import type { EngineDisk } from "../model/engine-disk.ts";

/** A disk with the volume that a snapshot froze. */
export interface FrozenVolumeOfDisk {
  readonly disk: Disk;
  /** Its `provisionedBytes` are those of that instant. */
  readonly volume: EngineDisk & { readonly imageId: string; readonly provisionedBytes: number };
}

export interface SnapshotOfDisks {
  readonly vmId: string;
  readonly snapshotId: string;
  readonly disks: readonly Disk[];
}

/** The volumes that a snapshot froze, in the order of the disks. Merges rename them: call again each time. */
export async function frozenVolumes(
  api: EngineApi,
  { vmId, snapshotId, disks }: SnapshotOfDisks,
  signal: AbortSignal,
): Promise<readonly FrozenVolumeOfDisk[]> {
  const volumes = await api.vms.snapshotDisks(vmId, snapshotId, signal);
  return disks.map((disk) => {
    const volume = volumes.find(({ id }) => id === disk.id);
    if (volume?.imageId === undefined) {
      throw new ManagerError(`the snapshot does not hold disk ${disk.alias}`, {
        context: { disk: disk.id, snapshot: snapshotId },
        hint: "The disk was detached, or the snapshot removed, in this moment. Run the backup again.",
      });
    }
    const { imageId, provisionedBytes = 0 } = volume;
    // The inventory's size may be older than the snapshot: the difference would silently not be read.
    if (provisionedBytes <= 0) throw withoutSize(disk.id);
    return { disk, volume: { ...volume, imageId, provisionedBytes } };
  });
}

/**
 * A disk as it was when a snapshot froze it. A disk with snapshots shows the format of its top volume, which is always
 * QCOW2, so a raw disk would change on restore. The lowest known volume shows the original format.
 */
export function originalDisk({ disk, volume }: FrozenVolumeOfDisk, lowest: EngineDisk = volume): Disk {
  return {
    ...disk,
    logicalBytes: volume.provisionedBytes,
    format: lowest.format === "raw" ? "raw" : "cow",
    sparse: lowest.sparse,
  };
}
