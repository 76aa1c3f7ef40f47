import type { XmlElement } from "../engine/xml-element.ts";

/** A storage domain. */
export interface StorageDomain {
  readonly id: string;
  readonly name: string;
  /** `data`, `export`, `iso`, `image`, `managed_block_storage`. */
  readonly type: string | undefined;
  /** Only in the list of a data center: the plain list omits it while the domain is attached. */
  readonly status: string | undefined;
  /** `nfs`, `iscsi`, `fcp`, `posixfs`, `glusterfs`, `localfs`… Block or file decides about thin raw disks. */
  readonly storageType: string | undefined;
  readonly address: string | undefined;
  readonly path: string | undefined;
  /** On NFS: as of `mount -o`, beside what hosts set themselves. */
  readonly mountOptions: string | undefined;
  readonly availableBytes: number | undefined;
  readonly usedBytes: number | undefined;
  readonly committedBytes: number | undefined;
  /** With less free space than this, the engine creates nothing new in it. */
  readonly blockedBelowBytes: number | undefined;
  readonly master: boolean;
  /** A domain marked as a backup domain runs no virtual machines. */
  readonly backup: boolean;
  readonly storageFormat: string | undefined;
  readonly dataCenterIds: readonly string[];
}

/** Parses one `<storage_domain>`. */
export function parseStorageDomain(element: XmlElement): StorageDomain {
  const dataCenters = element.list("data_centers", "data_center", (one) => one.value("id"));
  const ids = [...dataCenters, element.idOf("data_center")];
  return {
    id: element.requireId("storage_domain"),
    name: element.value("name") ?? "",
    type: element.value("type"),
    status: element.state("status"),
    storageType: element.value("storage", "type"),
    address: element.value("storage", "address"),
    path: element.value("storage", "path"),
    mountOptions: element.value("storage", "mount_options"),
    availableBytes: element.int("available"),
    usedBytes: element.int("used"),
    committedBytes: element.int("committed"),
    blockedBelowBytes: inBytes(element.int("critical_space_action_blocker")),
    master: element.bool("master") ?? false,
    backup: element.bool("backup") ?? false,
    storageFormat: element.value("storage_format"),
    dataCenterIds: [...new Set(ids)].filter((id) => id !== undefined),
  };
}

/** The engine reports it in GiB. */
function inBytes(gibibytes: number | undefined): number | undefined {
  return gibibytes === undefined ? undefined : gibibytes * 1024 ** 3;
}
