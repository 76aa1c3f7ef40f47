import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { qemuImg } from "../../hypervisor/qemu-img.ts";
import { NfsClient } from "../../nfs/nfs-client.ts";
import { ownAttachments } from "../attachments.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { badRequest, conflict, notFound, unknownEntity } from "../engine-fault.ts";
import type {
  AttachmentState,
  DiskState,
  ExportDomainState,
  JobState,
  StorageDomain,
  VmState,
} from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { ExportTree, type ExportedVolume } from "../export-tree.ts";
import { known } from "../inventory.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { writeOvf } from "../ovf/write-ovf.ts";
import type { DiskOperations } from "./disk-operations.ts";
import type { VmOperations } from "./vm-operations.ts";

export interface ExportRequest {
  readonly domain: ExportDomainState;
  /** Replaces what lies there of the same machine. */
  readonly exclusive: boolean;
  readonly discardSnapshots: boolean;
  readonly correlationId: string;
}

export interface ImportRequest {
  readonly vmId: string;
  readonly clusterId: string;
  readonly storageDomain: StorageDomain;
  /** New ids for machine, disks and network cards. */
  readonly clone: boolean;
  readonly name?: string | undefined;
  readonly correlationId: string;
}

/** Export domains, and machines on their way out and in. Hosts see the export through NFS alone. */
export class ExportOperations {
  readonly #core: EngineCore;
  readonly #disks: DiskOperations;
  readonly #vms: VmOperations;

  constructor(core: EngineCore, operations: { readonly disks: DiskOperations; readonly vms: VmOperations }) {
    this.#core = core;
    this.#disks = operations.disks;
    this.#vms = operations.vms;
  }

  /** @throws EngineFault 404 */
  get(id: string): ExportDomainState {
    const found = this.#core.state.exportDomains.find((domain) => domain.id === id);
    if (found === undefined) throw notFound();
    return found;
  }

  has(id: string): boolean {
    return this.#core.state.exportDomains.some((domain) => domain.id === id);
  }

  async create(wanted: Omit<ExportDomainState, "id" | "status">): Promise<ExportDomainState> {
    const { state, store } = this.#core;
    const names = [...state.exportDomains, ...state.inventory.storageDomains].map(({ name }) => name);
    if (names.includes(wanted.name))
      throw conflict(
        "Cannot add Storage. The Storage Domain name is already in use, please choose a unique name and try again.",
      );
    const domain: ExportDomainState = { ...wanted, id: randomUUID(), status: "unattached" };
    await this.#tree(domain, (tree) => tree.create());
    state.exportDomains.push(domain);
    store.changed();
    return domain;
  }

  /** Attaches and activates. A data centre takes one. */
  async attach(id: string, dataCenterId: string): Promise<ExportDomainState> {
    const domain = this.get(id);
    if (domain.dataCenterId !== undefined)
      throw conflict("Cannot attach Storage. The Storage Domain is already attached to a Data Center.");
    const other = this.#core.state.exportDomains.find((one) => one.dataCenterId === dataCenterId);
    if (other !== undefined)
      throw conflict(
        "Cannot attach Storage. There is already an Export Domain attached to the Data Center. Only one Export Domain can be attached to a Data Center.",
      );
    await this.#tree(domain, async (tree) => {
      await tree.check();
      await tree.writeMetadata(dataCenterId);
    });
    domain.dataCenterId = dataCenterId;
    return this.#set(domain, "active");
  }

  async activate(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance")
      throw conflict(`Cannot activate Storage. The relevant Storage Domain's status is ${domain.status}.`);
    await this.#tree(domain, (tree) => tree.check());
    this.#set(domain, "active");
  }

  deactivate(id: string): void {
    const domain = this.get(id);
    if (domain.status !== "active")
      throw conflict(`Cannot deactivate Storage. The relevant Storage Domain's status is ${domain.status}.`);
    this.#set(domain, "maintenance");
  }

  async detach(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance")
      throw conflict(`Cannot detach Storage. The relevant Storage Domain's status is ${domain.status}.`);
    await this.#tree(domain, (tree) => tree.writeMetadata(undefined));
    delete domain.dataCenterId;
    this.#set(domain, "unattached");
  }

  /** `destroy`: forgets it, whatever its state. `format`: removes its tree. */
  async remove(id: string, options: { readonly destroy: boolean; readonly format: boolean }): Promise<void> {
    const domain = this.get(id);
    const { exportDomains } = this.#core.state;
    if (!options.destroy && domain.status !== "unattached")
      throw conflict("Cannot remove Storage. The Storage Domain is attached to a Data Center.");
    if (!options.destroy && options.format) await this.#tree(domain, (tree) => tree.format());
    exportDomains.splice(exportDomains.indexOf(domain), 1);
    this.#core.store.changed();
  }

  /** OVFs of the machines in it, by their ids. */
  async list(id: string): Promise<ReadonlyMap<string, string>> {
    const domain = this.#active(this.get(id), "read Storage");
    return this.#tree(domain, async (tree) => {
      const all = new Map<string, string>();
      for (const vmId of await tree.vmIds()) all.set(vmId, await tree.readOvf(vmId));
      return all;
    });
  }

  /** Answers at once; the machine stays locked until all of it lies there. */
  async exportVm(vmId: string, request: ExportRequest): Promise<JobState> {
    const { domain, exclusive, correlationId } = request;
    const action = "export VM";
    const vm = this.#core.vm(vmId);
    this.#core.requireFree(vm, action);
    if (vm.status !== "down") throw conflict(`Cannot ${action}. VM is not down.`);
    this.#active(domain, action);
    if (known(this.#core.state.inventory.clusters, vm.clusterId).dataCenterId !== domain.dataCenterId)
      throw conflict(`Cannot ${action}. The Storage Domain is not in the Data Center of the VM.`);
    const disks = ownAttachments(vm).map(({ diskId }) => this.#core.disk(diskId));
    this.#core.requireOk(disks, action);
    const present = await this.#tree(domain, (tree) => tree.vmIds());
    if (present.includes(vmId) && !exclusive)
      throw conflict(
        `Cannot ${action}. VM ${vm.name} already exists in the target Storage Domain. Use the exclusive option to overwrite it.`,
      );
    vm.status = "image_locked";
    const release = this.#core.lock(vm, `Exporting VM ${vm.name}`);
    return this.#core.runJob(`Exporting VM ${vm.name}`, correlationId, async () => {
      try {
        await this.#core.background.steps();
        await this.#tree(domain, (tree) => this.#write(tree, vm, disks, request.discardSnapshots));
        this.#event(eventCodes.vmExported, vm, `Vm ${vm.name} was exported successfully to ${domain.name}`);
      } catch (error) {
        this.#event(
          eventCodes.vmNotExported,
          vm,
          `Failed to export Vm ${vm.name} to ${domain.name}: ${reasonOf(error)}`,
        );
        throw error;
      } finally {
        vm.status = "down";
        release();
      }
    });
  }

  async removeVm(id: string, vmId: string): Promise<void> {
    const ovf = (await this.list(id)).get(vmId);
    if (ovf === undefined) throw notFound();
    await this.#tree(this.get(id), (tree) =>
      tree.removeVm(
        vmId,
        readOvf(ovf).disks.map(({ diskId }) => diskId),
      ),
    );
  }

  /** Answers at once with a machine that is locked until its disks are there; it vanishes on failure. */
  async importVm(id: string, request: ImportRequest): Promise<JobState> {
    const { vmId, clusterId, clone, correlationId } = request;
    const action = "import VM";
    if (this.#core.faults.strikes("import-refused")) throw conflict(`Cannot ${action}. The operation was refused.`);
    const domain = this.get(id);
    const ovf = (await this.list(id)).get(vmId);
    if (ovf === undefined) throw unknownEntity(`vm: id=${vmId}`);
    const { disks } = readOvf(ovf);
    const volumes = await this.#tree(domain, (tree) => chainsOf(tree, ovf));
    if (!clone && disks.some(({ diskId }) => diskId in this.#core.state.disks))
      throw conflict(`Cannot ${action}. Disks of the VM exist already; import it as a clone.`);
    const vm = await this.#vms.create({
      name: request.name,
      clusterId,
      settings: {},
      ovf,
      regenerateIds: clone,
      disksFollow: true,
      correlationId,
    });
    const release = this.#core.lock(vm, `Importing VM ${vm.name}`);
    return this.#core.runJob(`Importing VM ${vm.name}`, correlationId, async () => {
      const made: string[] = [];
      try {
        await this.#core.background.steps();
        for (const attachment of disks) {
          const chain = volumes.get(attachment.diskId) ?? [];
          const disk = await this.#tree(domain, (tree) => this.#read(tree, chain, request));
          made.push(disk.id);
          const attached: AttachmentState = { ...attachment, diskId: disk.id };
          vm.attachments.push(attached);
        }
        vm.status = "down";
        this.#event(eventCodes.vmImported, vm, `Vm ${vm.name} was imported successfully to Data Center`);
      } catch (error) {
        this.#event(eventCodes.vmNotImported, vm, `Failed to import Vm ${vm.name}: ${reasonOf(error)}`);
        delete this.#core.state.vms[vm.id];
        for (const diskId of made) this.#disks.drop(this.#core.disk(diskId));
        throw error;
      } finally {
        release();
      }
    });
  }

  /** Volumes first, the OVF last. What lay there of the machine goes before. */
  async #write(tree: ExportTree, vm: VmState, disks: readonly DiskState[], collapse: boolean): Promise<void> {
    await tree.removeVm(
      vm.id,
      disks.map(({ id }) => id),
    );
    for (const disk of disks) {
      await this.#writeDisk(tree, disk, collapse);
      if (this.#core.faults.strikes("export-failure")) throw new Error("the host could not copy a volume");
    }
    await tree.writeOvf(vm.id, writeOvf(vm, this.#core.state));
  }

  async #writeDisk(tree: ExportTree, disk: DiskState, collapse: boolean): Promise<void> {
    const { chain } = await this.#core.hypervisor.diskInfo(disk.id);
    const { alias, sparse, format } = disk;
    if (!collapse) {
      for (const [index, { volumeId, path, ...volume }] of chain.entries()) {
        const parentId = chain[index - 1]?.volumeId;
        const described = {
          imageId: disk.id,
          volumeId,
          parentId,
          format: volume.format,
          sparse,
          virtualBytes: volume.virtualBytes,
          alias,
        };
        await tree.writeVolume(described, path, index === chain.length - 1);
      }
      return;
    }
    await inTemporary(async (directory) => {
      const top = chain.at(-1);
      if (top === undefined) throw new Error(`disk ${alias} has no volume`);
      const copy = join(directory, disk.imageId);
      const from = ["-f", top.format === "cow" ? "qcow2" : "raw", top.path];
      const to = format === "cow" ? ["-O", "qcow2", "-o", "compat=0.10"] : ["-O", "raw"];
      await qemuImg("convert", ...to, ...from, copy);
      const described = {
        imageId: disk.id,
        volumeId: disk.imageId,
        parentId: undefined,
        format,
        sparse,
        virtualBytes: disk.provisionedBytes,
        alias,
      };
      await tree.writeVolume(described, copy, true);
    });
  }

  async #read(tree: ExportTree, chain: readonly ExportedVolume[], request: ImportRequest): Promise<DiskState> {
    return inTemporary(async (directory) => {
      for (const volume of chain) await tree.readVolume(volume, join(directory, volume.volumeId));
      const top = chain.at(-1);
      if (top === undefined) throw new Error("an image has no volume");
      const ids = request.clone ? {} : { id: top.imageId, imageId: top.volumeId };
      return this.#disks.import(join(directory, top.volumeId), top.alias, request.storageDomain, ids);
    });
  }

  #active(domain: ExportDomainState, action: string): ExportDomainState {
    if (domain.status !== "active")
      throw conflict(`Cannot ${action}. The relevant Storage Domain is inaccessible. It is ${domain.status}.`);
    return domain;
  }

  #set(domain: ExportDomainState, status: ExportDomainState["status"]): ExportDomainState {
    domain.status = status;
    this.#core.store.changed();
    return domain;
  }

  #event(code: number, vm: VmState, description: string): void {
    const failed = code === eventCodes.vmNotExported || code === eventCodes.vmNotImported;
    this.#core.journal.event(code, { description, vmId: vm.id, severity: failed ? "error" : "normal" });
  }

  #tree<T>(domain: ExportDomainState, work: (tree: ExportTree) => Promise<T>): Promise<T> {
    return NfsClient.with(domain, (nfs) => work(new ExportTree(nfs, domain))).catch((error: unknown) => {
      throw error instanceof Error && "systemCode" in error
        ? conflict(`Problem while trying to mount target or to use it: ${error.message}`)
        : error;
    });
  }
}

/** Volumes of every image that the OVF names, from the base to the top. */
async function chainsOf(tree: ExportTree, ovf: string): Promise<ReadonlyMap<string, readonly ExportedVolume[]>> {
  const chains = new Map<string, readonly ExportedVolume[]>();
  for (const [, imageId = "", volumeId = ""] of ovf.matchAll(/ovf:href="([^"/]+)\/([^"/]+)"/g)) {
    const chain: ExportedVolume[] = [];
    for (let next: string | undefined = volumeId; next !== undefined; next = chain[0]?.parentId) {
      if (chain.some((volume) => volume.volumeId === next))
        throw badRequest("Cannot import VM. Volumes are their own parents.");
      chain.unshift(await tree.volume(imageId, next));
    }
    chains.set(imageId, chain);
  }
  return chains;
}

async function inTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-lab-export-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
