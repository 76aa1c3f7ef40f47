import type { XmlElement } from "../engine/xml-element.ts";

/** A disk as the engine shows it. */
export interface EngineDisk {
  readonly id: string;
  readonly alias: string;
  readonly description: string | undefined;
  /** `ok`, `locked`, `illegal`; absent for disks that are not images. */
  readonly status: string | undefined;
  /** `image`, `lun`, `managed_block_storage`, `cinder`. */
  readonly storageType: string;
  /** `data`, `ovf_store`, `iso`, `memory_dump_volume`, `hosted_engine…`, `backup_scratch`; older engines: absent. */
  readonly contentType: string | undefined;
  /** `raw` or `cow` (QCOW2); absent for a LUN. */
  readonly format: string | undefined;
  readonly sparse: boolean;
  /** Size the guest sees. */
  readonly provisionedBytes: number | undefined;
  /** Space taken by the active volume. */
  readonly actualBytes: number | undefined;
  /** Space taken by the whole chain (4.2). */
  readonly totalBytes: number | undefined;
  /** Id of the volume: the active one, or the frozen one where the disk was read through a snapshot. */
  readonly imageId: string | undefined;
  readonly shareable: boolean;
  readonly wipeAfterDelete: boolean;
  readonly propagateErrors: boolean;
  /** `none` or `incremental` (4.3). */
  readonly backup: string | undefined;
  /** `full` or `incremental`: how the engine backs up this disk, in the disks of a backup (4.4.3). */
  readonly backupMode: string | undefined;
  /** `qcow2_v2`, `qcow2_v3`. */
  readonly qcowVersion: string | undefined;
  readonly storageDomainIds: readonly string[];
  readonly diskProfileId: string | undefined;
  readonly quotaId: string | undefined;
  readonly snapshotId: string | undefined;
  readonly lunId: string | undefined;
  /** Up to version 3 these belong to the disk; later to its attachment. */
  readonly bootable: boolean | undefined;
  readonly interface: string | undefined;
  readonly active: boolean | undefined;
  readonly readOnly: boolean | undefined;
}

/** Parses one `<disk>`. */
export function parseDisk(element: XmlElement): EngineDisk {
  const id = element.requireId("disk");
  const lun =
    element.child("lun_storage", "logical_units", "logical_unit") ?? element.child("lun_storage", "logical_unit");
  const isLun = element.child("lun_storage") !== undefined;
  return {
    id,
    alias: element.value("alias") ?? element.value("name") ?? id,
    description: element.value("description"),
    status: element.state("status"),
    storageType: element.value("storage_type") ?? (isLun ? "lun" : "image"),
    contentType: element.value("content_type"),
    format: element.value("format"),
    sparse: element.bool("sparse") ?? false,
    provisionedBytes: element.int("provisioned_size") ?? element.int("size") ?? lun?.int("size"),
    actualBytes: element.int("actual_size"),
    totalBytes: element.int("total_size"),
    imageId: element.value("image_id"),
    shareable: element.bool("shareable") ?? false,
    wipeAfterDelete: element.bool("wipe_after_delete") ?? false,
    propagateErrors: element.bool("propagate_errors") ?? false,
    backup: element.value("backup"),
    backupMode: element.value("backup_mode"),
    qcowVersion: element.value("qcow_version"),
    storageDomainIds: storageDomainIds(element),
    diskProfileId: element.idOf("disk_profile"),
    quotaId: element.idOf("quota"),
    snapshotId: element.idOf("snapshot"),
    lunId: lun?.value("id"),
    bootable: element.bool("bootable"),
    interface: element.value("interface"),
    active: element.bool("active"),
    readOnly: element.bool("read_only"),
  };
}

function storageDomainIds(element: XmlElement): string[] {
  const ids = element.list("storage_domains", "storage_domain", (domain) => domain.value("id"));
  return [...new Set([...ids, element.idOf("storage_domain")])].filter((id) => id !== undefined);
}
