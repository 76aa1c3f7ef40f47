import { ManagerError } from "@ovault/contract";

/** A volume of a disk, where hosts have it. */
export interface Volume {
  readonly dataCenterId: string;
  readonly storageDomainId: string;
  readonly diskId: string;
  readonly volumeId: string;
  readonly format: "raw" | "cow";
  /** A logical volume, not a file. */
  readonly onBlock: boolean;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a name that comes from outside can only be the id of a volume. */
export function isVolumeId(name: string): boolean {
  return UUID.test(name);
}

/** @throws ManagerError when one of the ids is none */
export function assertVolumeIds({ dataCenterId, storageDomainId, diskId, volumeId }: Volume): void {
  for (const id of [dataCenterId, storageDomainId, diskId, volumeId]) {
    if (!UUID.test(id)) throw new ManagerError("the engine names a volume by what is no id", { context: { id } });
  }
}

/** The path of a volume in a file domain, or of its link in a block domain. @throws ManagerError for a strange id */
export function volumePath(volume: Volume, dataCenterDirectory: string): string {
  assertVolumeIds(volume);
  const { dataCenterId, storageDomainId, diskId, volumeId } = volume;
  return `${dataCenterDirectory}/${dataCenterId}/${storageDomainId}/images/${diskId}/${volumeId}`;
}
