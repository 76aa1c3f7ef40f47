/** The characters of a serial that page 0x83 of a SCSI device, and a VirtIO block device, show on some hosts. */
const SHORT_SERIAL = 20;

/** Names that udev may give the device of a disk: the hypervisor uses the disk's id as its serial. */
export function deviceNames(diskId: string): readonly string[] {
  const short = shortSerial(diskId);
  return [
    `scsi-0QEMU_QEMU_HARDDISK_${diskId}`,
    `scsi-SQEMU_QEMU_HARDDISK_${diskId}`,
    `scsi-0QEMU_QEMU_HARDDISK_${short}`,
    `scsi-SQEMU_QEMU_HARDDISK_${short}`,
    `virtio-${short}`,
  ];
}

/** The beginning of a disk's id: some names contain only this. */
export function shortSerial(diskId: string): string {
  return diskId.slice(0, SHORT_SERIAL);
}
