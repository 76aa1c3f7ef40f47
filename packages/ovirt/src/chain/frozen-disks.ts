import type { EngineApi } from "../api/engine-api.ts";
import type { EngineDisk } from "../model/engine-disk.ts";
import { originalDisk, frozenVolumes, type SnapshotOfDisks } from "../snapshot/frozen-volumes.ts";
import { UNKNOWN_PARENT, type BaseSnapshot, type FrozenDisk } from "./plan-disk.ts";

export interface Frozen extends SnapshotOfDisks {
  readonly base: BaseSnapshot | undefined;
  /** The engine links each volume to its parent (4.4.3), and the caller needs the link. */
  readonly tellsParents: boolean;
}

/** The disks as a snapshot froze them. Asks the engine for the volumes each time, because merges rename them. */
export async function frozenDisks(api: EngineApi, frozen: Frozen, signal: AbortSignal): Promise<readonly FrozenDisk[]> {
  const volumes = await frozenVolumes(api, frozen, signal);
  return await Promise.all(
    volumes.map(async (one) => {
      const { disk, volume } = one;
      const lowest = frozen.base?.disks.find(({ id }) => id === disk.id);
      return {
        disk: originalDisk(one, lowest),
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
  const found = await api.diskSnapshots.find(domainId, volumeId, signal);
  return found === undefined ? UNKNOWN_PARENT : found.parentId;
}
