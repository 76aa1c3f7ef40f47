export { default, type OvirtOptions } from "./manager/plugin.ts";

export * from "./api/backups.ts";
export * from "./api/checkpoints.ts";
export * from "./api/disk-snapshots.ts";
export * from "./api/disks.ts";
export * from "./api/engine-api.ts";
export * from "./api/events.ts";
export * from "./api/image-transfers.ts";
export * from "./api/infrastructure.ts";
export * from "./api/snapshots.ts";
export * from "./api/vms.ts";

export * from "./concurrency/permits.ts";
export * from "./concurrency/settle-all.ts";

export * from "./engine/ca.ts";
export * from "./engine/engine-caller.ts";
export * from "./engine/engine-client.ts";
export * from "./engine/errors.ts";
export * from "./engine/tls.ts";
export * from "./engine/wait.ts";
export * from "./engine/was-refused.ts";

export * from "./imageio/collect-zero-extents.ts";
export * from "./imageio/errors.ts";
export * from "./imageio/extent-list.ts";
export * from "./imageio/imageio-client.ts";
export type { ImageioExtent } from "./imageio/parse-extents.ts";
export type { ImageioAbilities } from "./imageio/read-options.ts";

export * from "./leftovers/look-up-leftovers.ts";
export * from "./leftovers/gone-leftover.ts";

export * from "./machine/errors.ts";
export * from "./machine/open-configuration.ts";
export * from "./machine/ready-machine.ts";
export * from "./machine/vm-documents.ts";
export * from "./machine/warn-of-firmware.ts";
export * from "./machine/why-unreadable.ts";
export * from "./machine/why-untouchable.ts";

export * from "./manager/manager.ts";

export * from "./model/attributes.ts";
export * from "./model/backup.ts";
export * from "./model/capabilities.ts";
export * from "./model/checkpoint.ts";
export * from "./model/cluster.ts";
export * from "./model/data-center.ts";
export * from "./model/disk-attachment.ts";
export * from "./model/disk-snapshot.ts";
export * from "./model/engine-disk.ts";
export * from "./model/engine-version.ts";
export * from "./model/event.ts";
export * from "./model/host-nic.ts";
export * from "./model/host.ts";
export * from "./model/image-transfer.ts";
export * from "./model/job.ts";
export * from "./model/network-attachment.ts";
export * from "./model/network.ts";
export * from "./model/nic.ts";
export * from "./model/product-info.ts";
export * from "./model/reported-device.ts";
export * from "./model/snapshot.ts";
export * from "./model/storage-domain.ts";
export * from "./model/template.ts";
export * from "./model/user.ts";
export * from "./model/vm-pool.ts";
export * from "./model/vm.ts";
export * from "./model/vnic-profile.ts";

export { readOvf, type OvfDescription, type OvfDisk, type OvfNic } from "./ovf/read-ovf.ts";
export * from "./ovf/rewrite-ovf.ts";

export type { DiskLayout } from "./restore/disks/disk-layout.ts";
export type { MadeDisk } from "./restore/disks/make-disk.ts";
export * from "./restore/disks/remove-disk.ts";
export * from "./restore/fill/disk-filler.ts";
export * from "./restore/fill/transfer-filler.ts";
export * from "./restore/open-restore.ts";
export * from "./restore/plan-restore.ts";
export * from "./restore/restore-session.ts";

export * from "./snapshot/confirm-frozen.ts";
export * from "./snapshot/drop-snapshot.ts";
export * from "./snapshot/errors.ts";
export * from "./snapshot/find-tagged-snapshots.ts";
export * from "./snapshot/frozen-volumes.ts";
export * from "./snapshot/guest-consistency.ts";
export * from "./snapshot/hold-machine.ts";
export * from "./snapshot/remove-snapshot.ts";
export * from "./snapshot/room-for-snapshot.ts";
export * from "./snapshot/snapshot-options.ts";
export * from "./snapshot/take-snapshot.ts";

export * from "./traces/run-tag.ts";
export * from "./traces/undo.ts";

export * from "./transfer/disk-transfer.ts";
export * from "./transfer/end-transfer.ts";
export * from "./transfer/end-transfers.ts";
export * from "./transfer/errors.ts";
export * from "./transfer/keep-alive.ts";
export * from "./transfer/open-transfers.ts";
export * from "./transfer/transfer-context.ts";
export * from "./transfer/transfer-options.ts";
