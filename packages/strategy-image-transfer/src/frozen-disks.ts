import { ManagerError } from "@ovault/core";
import type { Disk } from "@ovault/core";
import type { EngineApi, EngineDisk } from "@ovault/ovirt";

import { UNKNOWN_PARENT } from "./plan-modes.ts";
import type { BaseSnapshot, FrozenDisk } from "./plan-modes.ts";

export interface Frozen {
  readonly vmId: string;
  readonly snapshotId: string;
  readonly disks: readonly Disk[];
  readonly base: BaseSnapshot | undefined;
  /** The engine links each volume to the one below (4.4.3). */
  readonly tellsParents: boolean;
}

/** The disks as a snapshot froze them. Volumes are asked for anew each time, because merges rename them. */
export async function frozenDisks(api: EngineApi, frozen: Frozen, signal: AbortSignal): Promise<readonly FrozenDisk[]> {
  const { vmId, snapshotId, disks } = frozen;
  const engineDisks = await api.vms.snapshotDisks(vmId, snapshotId, signal);
  return await Promise.all(
    disks.map(async (disk) => {
      const volume = engineDisks.find(({ id }) => id === disk.id);
      if (volume?.imageId === undefined) {
        throw new ManagerError(`the snapshot does not hold disk ${disk.alias}`, {
          context: { disk: disk.id, snapshot: snapshotId },
          hint: "The disk was detached, or the snapshot removed, in this moment. Run the backup again.",
        });
      }
      return {
        disk: asItWas(disk, volume, frozen.base),
        volumeId: volume.imageId,
        volumeFormat: volume.format === "raw" ? ("raw" as const) : ("cow" as const),
        parentId: await parentOf(api, volume, volume.imageId, frozen, signal),
      };
    }),
  );
}

async function parentOf(
  api: EngineApi,
  { storageDomainIds }: EngineDisk,
  volumeId: string,
  { tellsParents }: Frozen,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [domainId] = storageDomainIds;
  if (!tellsParents || domainId === undefined) return UNKNOWN_PARENT;
  return (await api.diskSnapshots.find(domainId, volumeId, signal))?.parentId;
}

/**
 * A disk with snapshots shows the format of its top volume, which is always QCOW2: a raw disk would be restored as another
 * one. The lowest volume that is known shows what the disk was made as.
 */
function asItWas(disk: Disk, volume: EngineDisk, base: BaseSnapshot | undefined): Disk {
  const lowest = base?.disks.find(({ id }) => id === disk.id) ?? volume;
  return {
    ...disk,
    logicalBytes: volume.provisionedBytes ?? disk.logicalBytes,
    format: lowest.format === "raw" ? "raw" : "cow",
    sparse: lowest.sparse,
  };
}
