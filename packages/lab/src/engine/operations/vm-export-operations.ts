import { join } from "node:path";

import type { VolumeInfo } from "../../hypervisor/hypervisor.ts";
import { qemuImg } from "../../hypervisor/qemu-img.ts";
import { ownAttachments } from "../attachments.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { conflict } from "../engine-fault.ts";
import type { DiskState, ExportDomainState, JobState, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import type { ExportTree } from "../export/export-tree.ts";
import { inTemporary } from "../export/in-temporary.ts";
import type { ExportedVolume } from "../export/volume-metadata.ts";
import { dataCenterOf } from "../inventory.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { writeOvf } from "../ovf/write-ovf.ts";
import { isOfTemplate } from "../templates.ts";
import { requireActive, type ExportDomainOperations } from "./export-domain-operations.ts";

export interface ExportRequest {
  readonly domain: ExportDomainState;
  /** Replaces what lies there of the same machine. */
  readonly exclusive: boolean;
  /** One volume for each disk, with what a template has of it. */
  readonly discardSnapshots: boolean;
  readonly correlationId: string;
}

/** Machines on their way into an export domain. */
export class VmExportOperations {
  readonly #core: EngineCore;
  readonly #domains: ExportDomainOperations;

  constructor(core: EngineCore, domains: ExportDomainOperations) {
    this.#core = core;
    this.#domains = domains;
  }

  /**
   * Answers at once; machine and disks stay locked until all of it lies there. A failure leaves the disks that were
   * complete (ExportVmCommand and CopyImageGroupCommand of oVirt engine 3.6, image.py of vdsm 4.17).
   */
  async start(vmId: string, request: ExportRequest): Promise<JobState> {
    const { domain, correlationId } = request;
    const action = "export VM";
    const vm = this.#core.vm(vmId);
    this.#core.requireFree(vm, action);
    requireActive(domain, action);
    if (vm.status !== "down") throw conflict(`Cannot ${action}. At least one of the VMs is not down.`);
    const disks = ownAttachments(vm).map(({ diskId }) => this.#core.disk(diskId));
    this.#core.requireOk(disks, action);
    if (dataCenterOf(this.#core.state.inventory, vm.clusterId).id !== domain.dataCenterId) {
      throw conflict(`Cannot ${action}. The target Data Center does not contain the VM.`);
    }
    await this.#requireUnknown(vm, request);
    vm.status = "image_locked";
    for (const disk of disks) disk.status = "locked";
    const release = this.#core.lock(vm, `Exporting VM ${vm.name}`);
    return this.#core.runJob(`Exporting VM ${vm.name}`, correlationId, async () => {
      this.#event(eventCodes.vmExportStarted, vm, `Starting export Vm ${vm.name} to ${domain.name}`);
      try {
        await this.#core.background.steps();
        await this.#core.hang("export-hang");
        await this.#domains.tree(domain, (tree) => this.#write(tree, vm, disks, request));
        this.#event(eventCodes.vmExported, vm, `Vm ${vm.name} was exported successfully to ${domain.name}`);
      } catch (error) {
        const description = `Failed to export Vm ${vm.name} to ${domain.name}: ${reasonOf(error)}`;
        this.#event(eventCodes.vmNotExported, vm, description);
        throw error;
      } finally {
        vm.status = "down";
        for (const disk of disks) disk.status = "ok";
        release();
      }
    });
  }

  /** @throws EngineFault 409 when the machine lies there, or another one of its name. */
  async #requireUnknown(vm: VmState, { domain, exclusive }: ExportRequest): Promise<void> {
    const present = await this.#domains.list(domain.id);
    if (present.has(vm.id) && !exclusive) {
      throw conflict("Cannot export VM. VM with the same identifier already exists.");
    }
    const others = [...present].filter(([id]) => id !== vm.id);
    if (others.some(([, ovf]) => readOvf(ovf).name === vm.name)) {
      throw conflict("Cannot export VM. The VM name is already in use, please choose a unique name and try again.");
    }
  }

  /** Volumes first, the OVF last: an OVF that lies there of the same machine stays until then. */
  async #write(tree: ExportTree, vm: VmState, disks: readonly DiskState[], request: ExportRequest): Promise<void> {
    const { faults } = this.#core;
    for (const disk of disks) {
      if (request.exclusive) await tree.removeImage(disk.id);
      else if (await tree.hasImage(disk.id)) throw new Error(`Volume already exists: ${disk.id}`);
      try {
        await this.#writeDisk(tree, vm, disk, request.discardSnapshots);
      } catch (error) {
        await tree.removeImage(disk.id).catch(() => {}); // as far as the storage lets it
        throw error;
      }
      if (faults.strikes("export-failure")) throw new Error("the host could not copy a volume");
    }
    if (faults.strikes("export-without-ovf")) {
      return this.#event(
        eventCodes.exportWithoutOvf,
        vm,
        `Failed to import Vm ${vm.name}, could not update VM data in export.`,
      );
    }
    const { templateId: _, ...whole } = vm;
    await tree.writeOvf(vm.id, writeOvf(request.discardSnapshots ? whole : vm, this.#core.state));
  }

  async #writeDisk(tree: ExportTree, vm: VmState, disk: DiskState, collapse: boolean): Promise<void> {
    const { chain } = await this.#core.hypervisor.diskInfo(disk.id);
    if (collapse) return this.#writeCollapsed(tree, disk, chain.at(-1));
    for (const [index, volume] of chain.entries()) {
      if (isOfTemplate(this.#core.state, vm, volume.volumeId)) continue;
      const parentId = chain[index - 1]?.volumeId;
      await tree.writeVolume(describe(disk, { ...volume, parentId }), volume.path, index === chain.length - 1);
    }
  }

  /** Keeps the format that the disk was made with. */
  async #writeCollapsed(tree: ExportTree, disk: DiskState, top: VolumeInfo | undefined): Promise<void> {
    if (top === undefined) throw new Error(`disk ${disk.alias} has no volume`);
    await inTemporary(async (directory) => {
      const copy = join(directory, disk.imageId);
      const from = ["-f", top.format === "cow" ? "qcow2" : "raw", top.path];
      const to = disk.format === "cow" ? ["-O", "qcow2", "-o", "compat=0.10"] : ["-O", "raw"];
      await qemuImg("convert", ...to, ...from, copy);
      const volume = { volumeId: disk.imageId, format: disk.format, virtualBytes: disk.provisionedBytes };
      await tree.writeVolume(describe(disk, { ...volume, parentId: undefined }), copy, true);
    });
  }

  #event(code: number, { id }: VmState, description: string): void {
    const failed = code === eventCodes.vmNotExported || code === eventCodes.exportWithoutOvf;
    this.#core.journal.event(code, { description, vmId: id, severity: failed ? "error" : "normal" });
  }
}

function describe(
  { id: imageId, sparse, alias }: DiskState,
  {
    volumeId,
    parentId,
    format,
    virtualBytes,
  }: Pick<ExportedVolume, "volumeId" | "parentId" | "format" | "virtualBytes">,
): ExportedVolume {
  return { imageId, volumeId, parentId, format, sparse, virtualBytes, alias };
}
