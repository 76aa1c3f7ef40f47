import type { DiskRecord } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import { diskAttributes } from "../../model/attributes.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { DataCenter } from "../../model/data-center.ts";
import type { StorageDomain } from "../../model/storage-domain.ts";
import type { DesignedDisk } from "../disks/designed-disk.ts";
import { unlessRefused } from "../../engine/refusal-of.ts";

/** Ids of disk profiles and quotas that new disks can have. */
export interface DiskPlaces {
  readonly diskProfiles: ReadonlySet<string>;
  readonly quotas: ReadonlySet<string>;
}

/** Queries the engine only for what the disks of the point need. */
export async function placesOf(
  api: EngineApi,
  records: readonly DiskRecord[],
  { dataCenterId }: Cluster,
  signal: AbortSignal,
): Promise<DiskPlaces> {
  const attributes = records.map(({ disk }) => diskAttributes(disk));
  const withProfile = attributes.some(({ diskProfileId }) => diskProfileId !== undefined);
  const withQuota = attributes.some(({ quotaId }) => quotaId !== undefined);
  const { infrastructure } = api;
  const [profiles = [], quotas = []] = await Promise.all([
    withProfile ? unlessRefused(infrastructure.diskProfiles(signal)) : [],
    withQuota && dataCenterId !== undefined ? unlessRefused(infrastructure.quotas(dataCenterId, signal)) : [],
  ]);
  return { diskProfiles: new Set(profiles.map(({ id }) => id)), quotas: new Set(quotas.map(({ id }) => id)) };
}

/** A disk profile belongs to one storage domain, a quota to one data center. */
export function placeDisk({ disk }: DiskRecord, domain: StorageDomain, places: DiskPlaces): DesignedDisk["placement"] {
  const { diskProfileId, quotaId } = diskAttributes(disk);
  const profileFits = diskProfileId !== undefined && disk.storageDomain?.id === domain.id;
  return {
    ...(profileFits && places.diskProfiles.has(diskProfileId) ? { diskProfileId } : {}),
    ...(quotaId !== undefined && places.quotas.has(quotaId) ? { quotaId } : {}),
  };
}

export function quotaWarnings(dataCenter: DataCenter | undefined, disks: readonly DesignedDisk[]): readonly string[] {
  if (dataCenter?.quotaMode !== "enabled") return [];
  const without = disks
    .filter(({ placement }) => placement.quotaId === undefined)
    .map(({ record }) => record.disk.alias);
  if (without.length === 0) return [];
  return [
    `data center ${dataCenter.name} enforces quotas, and those of the point are not there: the default quota must have room for ${without.join(", ")}`,
  ];
}
