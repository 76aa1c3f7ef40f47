import type { XmlElement } from "../engine/xml-element.ts";
import { parseDisk, type EngineDisk } from "./engine-disk.ts";

/** How a disk is attached to a virtual machine. The id of an attachment is the id of its disk. */
export interface DiskAttachment {
  readonly id: string;
  readonly diskId: string;
  readonly active: boolean;
  readonly bootable: boolean;
  /** `virtio`, `virtio_scsi`, `ide`, `sata`, `spapr_vscsi`. */
  readonly interface: string;
  readonly logicalName: string | undefined;
  readonly readOnly: boolean;
  readonly passDiscard: boolean;
  readonly usesScsiReservation: boolean;
  readonly vmId: string | undefined;
  /** The disk itself, where the answer holds more than its id (`follow=disk`). */
  readonly disk: EngineDisk | undefined;
}

/** What version 3 keeps in a machine's `<disk>`, as the attachment that later versions show. */
export function attachmentOfDisk(disk: EngineDisk): DiskAttachment {
  return {
    id: disk.id,
    diskId: disk.id,
    active: disk.active ?? false,
    bootable: disk.bootable ?? false,
    interface: disk.interface ?? "virtio",
    logicalName: undefined,
    readOnly: disk.readOnly ?? false,
    passDiscard: false,
    usesScsiReservation: false,
    vmId: undefined,
    disk,
  };
}

/** Parses one `<disk_attachment>`. */
export function parseDiskAttachment(element: XmlElement): DiskAttachment {
  const id = element.requireId("disk_attachment");
  const disk = element.child("disk");
  return {
    id,
    diskId: disk?.value("id") ?? id,
    active: element.bool("active") ?? false,
    bootable: element.bool("bootable") ?? false,
    interface: element.value("interface") ?? "virtio",
    logicalName: element.value("logical_name"),
    readOnly: element.bool("read_only") ?? false,
    passDiscard: element.bool("pass_discard") ?? false,
    usesScsiReservation: element.bool("uses_scsi_reservation") ?? false,
    vmId: element.idOf("vm"),
    disk: disk === undefined || disk.children.length === 0 ? undefined : parseDisk(disk),
  };
}
