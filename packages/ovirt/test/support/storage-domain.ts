import type { StorageDomain } from "@ovault/ovirt";

/** An active data domain on NFS, but for these parts. */
export function storageDomain(parts: Pick<StorageDomain, "id" | "name"> & Partial<StorageDomain>): StorageDomain {
  return {
    type: "data",
    status: "active",
    storageType: "nfs",
    address: undefined,
    path: undefined,
    mountOptions: undefined,
    availableBytes: undefined,
    usedBytes: undefined,
    committedBytes: undefined,
    blockedBelowBytes: undefined,
    master: false,
    backup: false,
    storageFormat: undefined,
    dataCenterIds: [],
    ...parts,
  };
}
