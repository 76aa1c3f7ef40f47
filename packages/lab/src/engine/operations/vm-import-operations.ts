import { join } from "node:path";

import { qemuImg } from "../../hypervisor/qemu-img.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { conflict, unknownEntity } from "../engine-fault.ts";
import type { DiskState, ExportDomainState, JobState, StorageDomain, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { readChains, type ExportedChain } from "../export/exported-chain.ts";
import type { ExportTree } from "../export/export-tree.ts";
import { inTemporary } from "../export/in-temporary.ts";
import { BLANK_ID, dataCenterOf } from "../inventory.ts";
import { readOvf, type OvfMachine } from "../ovf/read-ovf.ts";
import { findTemplate } from "../templates.ts";
import type { DiskOperations } from "./disk-operations.ts";
import type { ExportDomainOperations } from "./export-domain-operations.ts";
import type { VmOperations } from "./vm-operations.ts";

export interface ImportRequest {
  readonly vmId: string;
  readonly clusterId: string;
  readonly storageDomain: StorageDomain;
  /** New ids for machine, disks and network cards. */
  readonly clone: boolean;
  /** One volume for each disk. */
  readonly collapseSnapshots: boolean;
  readonly name?: string | undefined;
  readonly correlationId: string;
}

/** A disk that is announced, and what fills it. */
interface Announced {
  readonly disk: DiskState;
  readonly chain: ExportedChain;
}

/** Machines on their way from an export domain. */
export class VmImportOperations {
  readonly #core: EngineCore;
  readonly #domains: ExportDomainOperations;
  readonly #disks: DiskOperations;
  readonly #vms: VmOperations;

  constructor(
    core: EngineCore,
    operations: {
      readonly exportDomains: ExportDomainOperations;
      readonly disks: DiskOperations;
      readonly vms: VmOperations;
    },
  ) {
    this.#core = core;
    this.#domains = operations.exportDomains;
    this.#disks = operations.disks;
    this.#vms = operations.vms;
  }

  /**
   * Answers at once with a machine that is locked until its disks are there; it vanishes on failure. The checks are
   * those of ImportVmCommand (oVirt engine 3.6), and those of a host that opens the volumes.
   */
  async start(id: string, request: ImportRequest): Promise<JobState> {
    const action = "import VM";
    if (this.#core.faults.strikes("import-refused")) throw conflict(`Cannot ${action}. The operation was refused.`);
    const domain = this.#domains.get(id);
    const ovf = (await this.#domains.list(id)).get(request.vmId);
    if (ovf === undefined) throw unknownEntity(`vm: id=${request.vmId}`);
    const machine = readOvf(ovf);
    this.#requirePlaces(domain, request);
    this.#requireTemplate(machine, request);
    this.#requireUnknownDisks(machine, request);
    const chains = await this.#domains.tree(domain, (tree) => this.#chainsOf(tree, ovf, machine, request));
    const vm = await this.#vms.create({
      name: request.name,
      clusterId: request.clusterId,
      settings: {},
      ovf,
      regenerateIds: request.clone,
      disksFollow: true,
      correlationId: request.correlationId,
    });
    if (machine.templateId !== undefined && !request.collapseSnapshots) vm.templateId = machine.templateId;
    const announced = chains.map((chain) => ({ chain, disk: this.#announce(chain, request) }));
    for (const attachment of machine.disks) {
      const disk = announced.find(({ chain: [{ imageId }] }) => imageId === attachment.diskId)?.disk;
      if (disk !== undefined) vm.attachments.push({ ...attachment, diskId: disk.id });
    }
    return this.#fill(vm, domain, announced, request);
  }

  #fill(
    vm: VmState,
    domain: ExportDomainState,
    announced: readonly Announced[],
    { correlationId, collapseSnapshots }: ImportRequest,
  ): JobState {
    const { background, journal, faults, state } = this.#core;
    const release = this.#core.lock(vm, `Importing VM ${vm.name}`);
    return this.#core.runJob(`Importing VM ${vm.name}`, correlationId, async () => {
      try {
        await background.steps();
        await this.#core.hang("import-hang");
        for (const one of announced) {
          await this.#domains.tree(domain, (tree) => this.#fillDisk(tree, one, collapseSnapshots));
          if (faults.strikes("import-failure")) throw new Error("the host could not copy a volume");
        }
        vm.status = "down";
        delete vm.isIncomplete;
        const description = `Vm ${vm.name} was imported successfully to Data Center`;
        journal.event(eventCodes.vmImported, { description, vmId: vm.id });
      } catch (error) {
        if (background.stopping) throw error; // the next start removes what is incomplete
        const description = `Failed to import Vm ${vm.name}: ${reasonOf(error)}`;
        journal.event(eventCodes.vmNotImported, { description, vmId: vm.id, severity: "error" });
        delete state.vms[vm.id];
        for (const { disk } of announced) this.#disks.drop(disk);
        throw error;
      } finally {
        release();
      }
    });
  }

  /** @throws EngineFault 409 for a cluster or a storage domain of another data centre */
  #requirePlaces({ dataCenterId }: ExportDomainState, { clusterId, storageDomain }: ImportRequest): void {
    const { inventory } = this.#core.state;
    if (dataCenterOf(inventory, clusterId).id === dataCenterId && storageDomain.dataCenterId === dataCenterId) return;
    throw conflict("Cannot import VM. The target Data Center does not contain the Storage Domain.");
  }

  /** A machine keeps its template, which the engine must have; a collapsed one needs the template in the domain. */
  #requireTemplate(
    { templateId = BLANK_ID, name = "" }: OvfMachine,
    { clone, collapseSnapshots }: ImportRequest,
  ): void {
    if (templateId === BLANK_ID) return;
    if (collapseSnapshots) throw conflict("Cannot import and collapse VM, Template is missing in domain.");
    if (findTemplate(this.#core.state, templateId) === undefined) {
      throw conflict("Cannot import VM. The relevant Template doesn't exist.");
    }
    if (clone) throw notCollapsed(name);
  }

  #requireUnknownDisks({ disks }: OvfMachine, { clone }: ImportRequest): void {
    const present = clone ? [] : disks.flatMap(({ diskId }) => this.#core.state.disks[diskId]?.alias ?? []);
    if (present.length === 0) return;
    throw conflict(
      `Cannot import VM. The following disks already exist: ${present.join(", ")}. Please import as a clone.`,
    );
  }

  /** @throws EngineFault 409 for volumes that a host would refuse, and for a clone of more than the top ones */
  async #chainsOf(
    tree: ExportTree,
    ovf: string,
    { templateId = BLANK_ID, name = "" }: OvfMachine,
    { clone, collapseSnapshots }: ImportRequest,
  ): Promise<readonly ExportedChain[]> {
    const ofTemplate = findTemplate(this.#core.state, templateId)?.volumeIds ?? [];
    const chains = await readChains(tree, ovf, (volumeId) => ofTemplate.includes(volumeId));
    if (clone && !collapseSnapshots && chains.some((chain) => chain.length > 1)) throw notCollapsed(name);
    return chains;
  }

  #announce(chain: ExportedChain, { clone, storageDomain }: ImportRequest): DiskState {
    const top = chain.at(-1) ?? chain[0];
    return this.#disks.announceImport({
      alias: top.alias,
      format: chain[0].format,
      sparse: top.sparse,
      provisionedBytes: top.virtualBytes,
      storageDomain,
      ids: clone ? {} : { id: top.imageId, imageId: top.volumeId },
    });
  }

  async #fillDisk(tree: ExportTree, { disk, chain }: Announced, collapse: boolean): Promise<void> {
    await inTemporary(async (directory) => {
      for (const volume of chain) await tree.readVolume(volume, join(directory, volume.volumeId));
      const [{ parentId: templateVolume }] = chain;
      if (templateVolume !== undefined) await this.#fetchTemplate(templateVolume, directory);
      const top = chain.at(-1) ?? chain[0];
      const source = join(directory, top.volumeId);
      if (!collapse || chain.length === 1) return this.#disks.importNow(disk, source, templateVolume);
      const collapsed = join(directory, "collapsed");
      await qemuImg("convert", "-O", disk.format === "cow" ? "qcow2" : "raw", "-f", "qcow2", source, collapsed);
      return this.#disks.importNow(disk, collapsed);
    });
  }

  /** Copies a volume of a template from a disk that is based on it. */
  async #fetchTemplate(volumeId: string, directory: string): Promise<void> {
    const { hypervisor } = this.#core;
    for (const diskId of hypervisor.listDisks()) {
      const found = (await hypervisor.diskInfo(diskId)).chain.find((volume) => volume.volumeId === volumeId);
      if (found === undefined) continue;
      await qemuImg(
        "convert",
        "-U",
        "-O",
        found.format === "cow" ? "qcow2" : "raw",
        found.path,
        join(directory, volumeId),
      );
      return;
    }
    throw new Error("no disk has the volume of the template");
  }
}

function notCollapsed(name: string): Error {
  return conflict(`Cannot import VM. The VM ${name} has snapshots that must be collapsed.`);
}
