import { join, resolve } from "node:path";

import type { PlugDevice, PlugDisk } from "../hypervisor/hypervisor.ts";
import type { EngineCore } from "./engine-core.ts";
import type { AttachmentState, DiskInterface, VmState } from "./engine-state.ts";

/** Size error of the fault `device-size`, in bytes. */
const WRONG_BYTES = 1024 * 1024;

/** How udev in the guest names a disk under /dev/disk/by-id. Its serial is its id, which IDE and virtio cut short. */
const deviceNames: Readonly<Record<DiskInterface, (diskId: string) => string>> = {
  virtio: (diskId) => `virtio-${diskId.slice(0, 20)}`,
  virtio_scsi: (diskId) => `scsi-0QEMU_QEMU_HARDDISK_${diskId}`,
  spapr_vscsi: (diskId) => `scsi-0QEMU_QEMU_HARDDISK_${diskId}`,
  ide: (diskId) => `ata-QEMU_HARDDISK_${diskId.slice(0, 20)}`,
  sata: (diskId) => `ata-QEMU_HARDDISK_${diskId.slice(0, 20)}`,
};

/** The disks that the hypervisor plugs when a machine starts. */
export function plugsOf(core: EngineCore, vm: VmState): readonly PlugDisk[] {
  return vm.attachments.filter(({ active }) => active).map((attachment) => plugOf(core, vm, attachment));
}

/** The disk that the hypervisor plugs for an attachment. */
export function plugOf(core: EngineCore, vm: VmState, attachment: AttachmentState): PlugDisk {
  const { diskId, snapshotId } = attachment;
  const device = deviceOf(core, vm, attachment);
  return {
    diskId,
    ...(snapshotId !== undefined && { snapshotVolumeId: core.frozenVolume(snapshotId, diskId) }),
    ...(device !== undefined && { device }),
  };
}

function deviceOf(core: EngineCore, vm: VmState, attachment: AttachmentState): PlugDevice | undefined {
  const { diskId, interface: connection, readOnly } = attachment;
  if (vm.devices === undefined || core.faults.strikes("device-missing")) return undefined;
  const path = join(resolve(core.directory, vm.devices), deviceNames[connection](diskId));
  const device = { path, writable: !readOnly };
  if (!core.faults.strikes("device-size")) return device;
  return { ...device, wrongBytes: core.disk(diskId).provisionedBytes + WRONG_BYTES };
}
