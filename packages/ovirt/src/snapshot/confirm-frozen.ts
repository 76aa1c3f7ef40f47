import { ManagerError, type Disk } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { frozenVolumes } from "./frozen-volumes.ts";

/** A disk of a snapshot as it was when reading began. */
export interface FrozenBefore {
  /** With the size it has in the snapshot. */
  readonly disk: Disk;
  readonly volumeId: string;
}

/**
 * Verifies, after all data was read, that the snapshot still holds the same volumes of the same sizes.
 *
 * @throws ManagerError when it does not, or when the snapshot or its machine is gone
 */
export async function confirmFrozen(
  api: EngineApi,
  { vmId, snapshotId, before }: { vmId: string; snapshotId: string; before: readonly FrozenBefore[] },
  signal: AbortSignal,
): Promise<void> {
  const disks = before.map(({ disk }) => disk);
  const now = await frozenVolumes(api, { vmId, snapshotId, disks }, signal);
  const changed = before.find(({ disk, volumeId }, index) => {
    const volume = now[index]?.volume;
    return volume?.imageId !== volumeId || volume.provisionedBytes !== disk.logicalBytes;
  });
  if (changed === undefined) return;
  throw new ManagerError(
    `the snapshot of this run does not hold disk ${changed.disk.alias} as it did when it was read`,
    {
      context: { disk: changed.disk.id, snapshot: snapshotId },
      hint: "A snapshot was merged, or the disk resized, in this moment. Run the backup again.",
    },
  );
}
