import { compareNatural, type Disk, type VirtualMachine } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { toJson } from "../model/attributes.ts";
import type { Capabilities } from "../model/capabilities.ts";
import { withoutSize } from "../engine/errors.ts";
import type { DiskAttachment } from "../model/disk-attachment.ts";
import type { EngineDisk } from "../model/engine-disk.ts";
import type { Vm } from "../model/vm.ts";

interface Names {
  readonly manager: string;
  readonly clusters: ReadonlyMap<string, string>;
  readonly hosts: ReadonlyMap<string, string>;
  readonly storageDomains: ReadonlyMap<string, string>;
}

/**
 * All virtual machines with their disks and tags, in five requests regardless of their number; two more for each
 * machine on engines before 4.2, which cannot follow links.
 *
 * @param manager its name in the configuration
 */
export async function readInventory(
  api: EngineApi,
  capabilities: Capabilities,
  manager: string,
  signal: AbortSignal,
): Promise<readonly VirtualMachine[]> {
  const [vms, disks, clusters, hosts, domains] = await Promise.all([
    api.vms.list(capabilities.follow ? { follow: "disk_attachments,tags" } : {}, signal),
    api.disks.list({}, signal),
    api.infrastructure.clusters(signal),
    api.infrastructure.hosts(signal),
    api.infrastructure.storageDomains(signal),
  ]);
  const names = {
    manager,
    clusters: nameById(clusters),
    hosts: nameById(hosts),
    storageDomains: nameById(domains),
  };
  const known = new Map(disks.map((disk) => [disk.id, disk]));
  const machines: VirtualMachine[] = [];
  for (const vm of vms) {
    const attachments = vm.diskAttachments ?? (await api.vms.diskAttachments(vm.id, false, signal));
    // Where there are none, an answer that followed the link may omit the element.
    const tags = vm.tags ?? (capabilities.follow ? [] : await api.vms.tags(vm.id, signal));
    const attached: AttachedDisk[] = [];
    for (const attachment of attachments) {
      const { diskId } = attachment;
      const disk = attachment.disk ?? known.get(diskId) ?? (await api.disks.find(diskId, signal));
      if (disk !== undefined) attached.push({ attachment, disk });
      // Detached and deleted during the inventory, unless it still exists and is hidden from this user.
      else if ((await api.vms.findDiskAttachment(vm.id, diskId, signal)) !== undefined) {
        attached.push({ attachment, disk: undefined });
      }
    }
    machines.push(toVirtualMachine(vm, attached, tags, names));
  }
  return machines;
}

interface AttachedDisk {
  readonly attachment: DiskAttachment;
  /** Undefined: the engine does not show the disk. */
  readonly disk: EngineDisk | undefined;
}

function toVirtualMachine(
  vm: Vm,
  attached: readonly AttachedDisk[],
  tags: readonly string[],
  names: Names,
): VirtualMachine {
  const ordered = attached.toSorted(
    (a, b) =>
      Number(b.attachment.bootable) - Number(a.attachment.bootable) ||
      compareNatural(aliasOf(a), aliasOf(b)) ||
      compare(a.attachment.diskId, b.attachment.diskId),
  );
  return {
    id: vm.id,
    name: vm.name,
    manager: names.manager,
    status: vm.status,
    ...(vm.clusterId === undefined ? {} : { cluster: named(vm.clusterId, names.clusters) }),
    ...(vm.hostId === undefined ? {} : { host: named(vm.hostId, names.hosts) }),
    tags: tags.toSorted(compare),
    disks: ordered.map((one, index) => toDisk(one, index, names)),
    attributes: toJson({
      origin: vm.origin,
      description: vm.description,
      memoryBytes: vm.memoryBytes,
      templateId: vm.templateId,
      architecture: vm.architecture,
      hostId: vm.hostId,
    }),
  };
}

function aliasOf({ attachment, disk }: AttachedDisk): string {
  return disk?.alias ?? attachment.diskId;
}

/** A disk that the engine hides must not be missing from a point without a warning. */
function hiddenDisk({ diskId, bootable, interface: connection, active }: DiskAttachment, index: number): Disk {
  return {
    id: diskId,
    alias: diskId,
    index,
    logicalBytes: 0,
    format: "raw",
    sparse: false,
    bootable,
    interface: connection,
    attributes: { status: "unknown", active },
  };
}

function toDisk({ attachment, disk }: AttachedDisk, index: number, names: Names): Disk {
  if (disk === undefined) return hiddenDisk(attachment, index);
  const [domainId] = disk.storageDomainIds;
  return {
    id: disk.id,
    alias: disk.alias,
    index,
    logicalBytes: logicalBytes(disk),
    ...(disk.actualBytes === undefined ? {} : { actualBytes: disk.totalBytes || disk.actualBytes }),
    format: disk.format === "cow" ? "cow" : "raw",
    sparse: disk.sparse,
    bootable: attachment.bootable,
    interface: attachment.interface,
    ...(domainId === undefined ? {} : { storageDomain: named(domainId, names.storageDomains) }),
    attributes: toJson({
      backup: disk.backup === "incremental" ? "incremental" : "none",
      storageType: disk.storageType,
      contentType: disk.contentType ?? "data",
      status: disk.status ?? "ok",
      active: attachment.active,
      shareable: disk.shareable,
      readOnly: attachment.readOnly,
      passDiscard: attachment.passDiscard,
      wipeAfterDelete: disk.wipeAfterDelete,
      propagateErrors: disk.propagateErrors,
      imageId: disk.imageId,
      qcowVersion: disk.qcowVersion,
      description: disk.description,
      diskProfileId: disk.diskProfileId,
      quotaId: disk.quotaId,
      usesScsiReservation: attachment.usesScsiReservation,
      lunId: disk.lunId,
    }),
  };
}

/** The size of a LUN is not used, and some engines do not report it. */
function logicalBytes({ id, storageType, provisionedBytes = 0 }: EngineDisk): number {
  if (provisionedBytes > 0 || storageType === "lun") return provisionedBytes;
  throw withoutSize(id);
}

function nameById(entities: readonly { readonly id: string; readonly name: string }[]): Map<string, string> {
  return new Map(entities.map(({ id, name }) => [id, name]));
}

function named(id: string, names: ReadonlyMap<string, string>): { id: string; name: string } {
  return { id, name: names.get(id) ?? id };
}

/** By code units: the order is the same on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
