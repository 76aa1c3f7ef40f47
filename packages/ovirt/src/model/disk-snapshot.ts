import type { XmlElement } from "../engine/xml-element.ts";

/** A volume of a disk that a snapshot of its virtual machine froze. */
export interface DiskSnapshot {
  /** Id of the volume. A merge may rename it: look it up again instead of storing it. */
  readonly id: string;
  readonly diskId: string | undefined;
  readonly snapshotId: string | undefined;
  /** The volume below (4.4.3); undefined for the lowest one. */
  readonly parentId: string | undefined;
  readonly status: string | undefined;
  /** Of the volume: `raw` or `cow` (QCOW2). */
  readonly format: string | undefined;
}

/** Parses one `<disk_snapshot>`. */
export function parseDiskSnapshot(element: XmlElement): DiskSnapshot {
  return {
    id: element.requireId("disk_snapshot"),
    diskId: element.idOf("disk"),
    snapshotId: element.idOf("snapshot"),
    parentId: element.idOf("parent"),
    status: element.state("status"),
    format: element.value("format"),
  };
}
