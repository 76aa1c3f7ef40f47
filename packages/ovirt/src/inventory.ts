import { compareNatural, type Disk, type VirtualMachine } from "@ovault/core";

import type { EngineApi } from "./api/engine-api.ts";
import { toJson } from "./attributes.ts";
import type { Capabilities } from "./capabilities.ts";
import { EngineAnswerError } from "./engine/errors.ts";
import type { DiskAttachment } from "./model/disk-attachment.ts";
import type { EngineDisk } from "./model/engine-disk.ts";
import type { Vm } from "./model/vm.ts";

interface Names {
  readonly manager: string;
  readonly clusters: ReadonlyMap<string, string>;
  readonly hosts: ReadonlyMap<string, string>;
  readonly storageDomains: ReadonlyMap<string, string>;
}

/**
 * All virtual machines with their disks and tags, in five requests whatever their number; two more for each machine on
 * engines before 4.2, which cannot follow links.
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
    // Where there are none, an answer that followed the link may have nothing in its place.
    const tags = vm.tags ?? (capabilities.follow ? [] : await api.vms.tags(vm.id, signal));
    const attached: AttachedDisk[] = [];
    for (const attachment of attachments) {
      const disk = attachment.disk ?? known.get(attachment.diskId) ?? (await api.disks.find(attachment.diskId, signal));
      // Detached and deleted while we were reading.
      if (disk !== undefined) attached.push({ attachment, disk });
    }
    machines.push(toVirtualMachine(vm, attached, tags, names));
  }
  return machines;
}

interface AttachedDisk {
  readonly attachment: DiskAttachment;
  readonly disk: EngineDisk;
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
      compareNatural(a.disk.alias, b.disk.alias) ||
      compare(a.disk.id, b.disk.id),
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

function toDisk({ attachment, disk }: AttachedDisk, index: number, names: Names): Disk {
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

/** An image without a size must not pass as an empty one; a LUN's is of no use to us, and some engines do not tell it. */
function logicalBytes(disk: EngineDisk): number {
  if (disk.provisionedBytes !== undefined) return disk.provisionedBytes;
  if (disk.storageType === "lun") return 0;
  throw new EngineAnswerError(`the engine does not tell the size of disk ${disk.id}`, { context: { diskId: disk.id } });
}

function nameById(entities: readonly { readonly id: string; readonly name: string }[]): Map<string, string> {
  return new Map(entities.map(({ id, name }) => [id, name]));
}

function named(id: string, names: ReadonlyMap<string, string>): { id: string; name: string } {
  return { id, name: names.get(id) ?? id };
}

/** By code units: the same order on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
