export { default } from "./plugin.ts";
export type { OvirtOptions } from "./plugin.ts";
export * from "./manager.ts";
export * from "./capabilities.ts";
export * from "./attributes.ts";

export * from "./api/backups.ts";
export * from "./api/checkpoints.ts";
export * from "./api/disks.ts";
export * from "./api/engine-api.ts";
export * from "./api/events.ts";
export * from "./api/image-transfers.ts";
export * from "./api/infrastructure.ts";
export * from "./api/snapshots.ts";
export * from "./api/vms.ts";

export * from "./engine/ca.ts";
export * from "./engine/engine-caller.ts";
export * from "./engine/engine-client.ts";
export * from "./engine/errors.ts";
export * from "./engine/tls.ts";
export * from "./engine/wait.ts";

export * from "./imageio/errors.ts";
export * from "./imageio/extent-list.ts";
export * from "./imageio/imageio-client.ts";
export type { ImageioExtent } from "./imageio/parse-extents.ts";
export * from "./imageio/permits.ts";
export type { ImageioAbilities } from "./imageio/read-options.ts";

export * from "./model/backup.ts";
export * from "./model/checkpoint.ts";
export * from "./model/cluster.ts";
export * from "./model/data-center.ts";
export * from "./model/disk-attachment.ts";
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

export { readOvf } from "./ovf/read-ovf.ts";
export type { OvfDescription, OvfDisk, OvfNic } from "./ovf/read-ovf.ts";
export * from "./ovf/rewrite-ovf.ts";
