import type { Disk } from "@ovault/contract";

/** A disk without a manager: an image file or an export. */
export function standaloneDisk(id: string, logicalBytes: number): Disk {
  return {
    id,
    alias: id,
    index: 0,
    logicalBytes,
    format: "raw",
    sparse: true,
    bootable: false,
    interface: "virtio",
    attributes: {},
  };
}
