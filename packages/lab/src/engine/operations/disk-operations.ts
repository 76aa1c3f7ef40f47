import { randomUUID } from "node:crypto";

import type { DiskFormat } from "@ovault/contract";

import type { DiskInfo } from "../../hypervisor/hypervisor.ts";
import { attachmentOf, forgetAttachment } from "../attachments.ts";
import { badRequest, conflict, incomplete, notFound } from "../engine-fault.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { isBlock } from "../inventory.ts";
import { eventCodes } from "../event-codes.ts";
import type { DiskState, SnapshotVolume, StorageDomain } from "../engine-state.ts";

/** Body of `POST /disks`. */
export interface DiskRequest {
  readonly id?: string | undefined;
  readonly imageId?: string | undefined;
  readonly alias?: string | undefined;
  readonly description?: string | undefined;
  readonly provisionedBytes?: number | undefined;
  readonly initialBytes?: number | undefined;
  readonly format?: DiskFormat | undefined;
  readonly sparse?: boolean | undefined;
  readonly backup?: DiskState["backup"] | undefined;
  readonly shareable?: boolean | undefined;
  readonly wipeAfterDelete?: boolean | undefined;
  readonly propagateErrors?: boolean | undefined;
  /** Absent: the first one. */
  readonly storageDomainId?: string | undefined;
}

/** A disk that comes from an export domain. */
export interface ImportedDisk extends Pick<DiskState, "alias" | "format" | "sparse" | "provisionedBytes"> {
  readonly storageDomain: StorageDomain;
  readonly ids: Partial<Pick<DiskState, "id" | "imageId">>;
}

/** File storage rounds sizes up to whole blocks of this size. */
const BLOCK_BYTES = 4096;

/** Life of disks: made and removed while `locked`, grown. */
export class DiskOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** Answers at once with a locked disk; it becomes `ok`, or vanishes on failure. Then calls `onSettled`. */
  create(request: DiskRequest, onSettled: (made: boolean) => Promise<void> = noop): DiskState {
    const disk = this.#newDisk(request);
    this.#core.background.start(async () => {
      await this.#makeLater(disk);
      await onSettled(disk.status === "ok");
    });
    return disk;
  }

  /** As `create`, but waits until the disk exists. */
  async createNow(request: DiskRequest): Promise<DiskState> {
    const disk = this.#newDisk(request);
    await this.#make(disk);
    return disk;
  }

  /** A locked disk for a copy of another one's content; it goes to the same storage domain unless another is named. */
  announceCopy(diskId: string, storageDomainId = this.#core.disk(diskId).storageDomainId): DiskState {
    const { state, store } = this.#core;
    const id = randomUUID();
    const createdAt = new Date().toISOString();
    const copy: DiskState = {
      ...this.#core.disk(diskId),
      id,
      imageId: randomUUID(),
      storageDomainId,
      createdAt,
      status: "locked",
    };
    state.disks[id] = copy;
    store.changed();
    return copy;
  }

  /** Fills an announced disk, and waits until it is ready. */
  async copyNow(disk: DiskState, from: SnapshotVolume): Promise<void> {
    const info = await this.#core.hypervisor.copyVolume(from, {
      storageDomainId: disk.storageDomainId,
      diskId: disk.id,
      volumeId: disk.imageId,
      format: disk.format,
      sparse: disk.sparse,
    });
    disk.provisionedBytes = info.virtualBytes;
    disk.status = "ok";
    this.#core.store.changed();
  }

  /** A locked disk for what comes from an export domain. */
  announceImport({ storageDomain, ids, ...described }: ImportedDisk): DiskState {
    const { id = randomUUID(), imageId = randomUUID() } = ids;
    const disk: DiskState = {
      ...described,
      id,
      imageId,
      description: "",
      backup: described.format === "cow" ? "incremental" : "none",
      status: "locked",
      shareable: false,
      wipeAfterDelete: false,
      storageDomainId: storageDomain.id,
      createdAt: new Date().toISOString(),
    };
    this.#core.state.disks[id] = disk;
    this.#core.store.changed();
    return disk;
  }

  /** Fills an announced disk with an image file and what is below it. `baseVolumeId`: of the lowest, a template's. */
  async importNow(disk: DiskState, source: string, baseVolumeId?: string): Promise<void> {
    const { id: diskId, imageId: volumeId, storageDomainId } = disk;
    const base = baseVolumeId === undefined ? {} : { baseVolumeId };
    const info = await this.#core.hypervisor.importDisk({ storageDomainId, diskId, volumeId, source, ...base });
    disk.provisionedBytes = info.virtualBytes;
    disk.status = "ok";
    this.#core.store.changed();
  }

  /** Imports an image file. Waits until the disk exists. */
  async import(
    source: string,
    alias: string,
    domain: StorageDomain,
    ids: Partial<Pick<DiskState, "id" | "imageId">> = {},
    baseVolumeId?: string,
  ): Promise<DiskState> {
    const { state, hypervisor, store } = this.#core;
    const { id = randomUUID(), imageId = randomUUID() } = ids;
    const info = await hypervisor.importDisk({
      storageDomainId: domain.id,
      diskId: id,
      volumeId: imageId,
      source,
      ...(baseVolumeId !== undefined && { baseVolumeId }),
    });
    const disk: DiskState = {
      id,
      alias,
      description: "",
      imageId: activeVolumeOf(info),
      provisionedBytes: info.virtualBytes,
      format: info.format,
      sparse: info.format === "cow" || !isBlock(domain),
      backup: info.format === "cow" ? "incremental" : "none",
      status: "ok",
      shareable: false,
      wipeAfterDelete: false,
      storageDomainId: domain.id,
      createdAt: new Date().toISOString(),
    };
    state.disks[id] = disk;
    store.changed();
    return disk;
  }

  /** Answers at once; the disk stays locked until it is gone. */
  remove(diskId: string): void {
    const disk = this.#core.disk(diskId);
    const action = "remove Virtual Disk";
    this.#core.requireOk(disk.status === "illegal" ? [] : [disk], action);
    const vms = this.#core.vmsOf(diskId);
    for (const vm of vms) {
      this.#core.requireFree(vm, action);
      const attachment = attachmentOf(vm, diskId);
      if (vm.status !== "down" && attachment.active) {
        throw conflict(`Cannot ${action}: The disk is in use by VM ${vm.name}.`);
      }
      if (vm.snapshots.some((snapshot) => snapshot.volumes.some((volume) => volume.diskId === diskId))) {
        throw conflict(`Cannot ${action}: The disk ${disk.alias} has snapshots.`);
      }
    }
    this.drop(disk);
  }

  /** Removes a disk without further checks: locks it, detaches it everywhere, deletes it after the answer. */
  drop(disk: DiskState): void {
    const { state, hypervisor, background, store } = this.#core;
    disk.status = "locked";
    store.changed();
    background.start(async () => {
      await background.steps();
      await hypervisor.removeDisk(disk.id);
      for (const vm of this.#core.vmsOf(disk.id)) forgetAttachment(vm, disk.id);
      delete state.disks[disk.id];
      store.changed();
    });
  }

  /** Answers at once; the disk stays locked until zeros in its file take no space. */
  sparsify(diskId: string): void {
    const disk = this.#core.disk(diskId);
    const action = "sparsify Virtual Disk";
    this.#core.requireOk([disk], action);
    if (!disk.sparse)
      throw badRequest(`Cannot ${action}. Sparsifying is not supported for preallocated disk ${disk.alias}.`);
    for (const vm of this.#core.vmsOf(diskId)) {
      this.#core.requireFree(vm, action);
      if (vm.status !== "down" && attachmentOf(vm, diskId).active) {
        throw conflict(`Cannot ${action}: The disk is in use by VM ${vm.name}.`);
      }
    }
    const { background, hypervisor, store } = this.#core;
    disk.status = "locked";
    background.start(async () => {
      try {
        await background.steps();
        await hypervisor.sparsify(diskId);
      } finally {
        disk.status = "ok";
        store.changed();
      }
    });
  }

  /** @throws EngineFault 409 when the disk or its machine is busy, or it would shrink. */
  async resize(diskId: string, bytes: number): Promise<void> {
    const disk = this.#core.disk(diskId);
    const action = "edit Virtual Disk";
    this.#core.requireOk([disk], action);
    for (const vm of this.#core.vmsOf(diskId)) this.#core.requireFree(vm, action);
    if (bytes < disk.provisionedBytes)
      throw badRequest(`Cannot ${action}. New disk size must be larger than the current.`);
    const info = await this.#core.hypervisor.resizeDisk(diskId, bytes);
    disk.provisionedBytes = info.virtualBytes;
    this.#core.store.changed();
  }

  /** @throws EngineFault 400 for a raw disk, 409 when the disk or its machine is busy. */
  setBackup(diskId: string, backup: DiskState["backup"]): void {
    const disk = this.#core.disk(diskId);
    for (const vm of this.#core.vmsOf(diskId)) this.#core.requireFree(vm, "edit Virtual Disk");
    if (backup === "incremental" && disk.format === "raw") {
      throw badRequest("Cannot edit Virtual Disk. Incremental backup is not supported for RAW formatted disk.");
    }
    disk.backup = backup;
    this.#core.store.changed();
  }

  #newDisk(request: DiskRequest): DiskState {
    const { state } = this.#core;
    const { provisionedBytes, format } = request;
    if (provisionedBytes === undefined || format === undefined) {
      throw incomplete("Disk", "provisionedSize|format");
    }
    if (provisionedBytes <= 0) throw badRequest("Cannot add Virtual Disk. Disk size must be greater than zero.");
    const { storageDomains } = state.inventory;
    const domain = storageDomains.find(({ id }) => id === (request.storageDomainId ?? storageDomains[0]?.id));
    if (domain === undefined) throw badRequest("Cannot add Virtual Disk. Storage Domain doesn't exist.");
    if (request.id !== undefined && request.id in state.disks) {
      throw conflict(`Cannot add Virtual Disk. Disk with the same id ${request.id} already exists.`);
    }
    if (request.backup === "incremental" && format === "raw") {
      throw badRequest("Cannot add Virtual Disk. Incremental backup is not supported for RAW formatted disk.");
    }
    const sparse = request.sparse ?? format === "cow";
    if (format === "raw" && sparse && isBlock(domain)) {
      throw badRequest(
        "Cannot add Virtual Disk. Disk configuration (RAW Sparse backup-None) is incompatible with the storage domain type.",
      );
    }
    const id = request.id ?? randomUUID();
    const disk: DiskState = {
      id,
      alias: request.alias ?? id,
      description: request.description ?? "",
      imageId: request.imageId ?? randomUUID(),
      provisionedBytes: Math.ceil(provisionedBytes / BLOCK_BYTES) * BLOCK_BYTES,
      ...(request.initialBytes === undefined ? {} : { initialBytes: request.initialBytes }),
      format,
      sparse,
      backup: request.backup ?? "none",
      status: "locked",
      shareable: request.shareable ?? false,
      wipeAfterDelete: request.wipeAfterDelete ?? false,
      propagateErrors: request.propagateErrors ?? false,
      storageDomainId: domain.id,
      createdAt: new Date().toISOString(),
    };
    state.disks[id] = disk;
    this.#core.store.changed();
    return disk;
  }

  async #makeLater(disk: DiskState): Promise<void> {
    const { state, background, journal } = this.#core;
    await background.steps();
    try {
      await this.#make(disk);
    } catch (error) {
      if (background.stopping) throw error;
      delete state.disks[disk.id];
      journal.event(eventCodes.addDiskFailed, { description: reasonOf(error), severity: "error" });
    }
  }

  async #make(disk: DiskState): Promise<void> {
    const { hypervisor, store } = this.#core;
    const info = await hypervisor.createDisk({
      storageDomainId: disk.storageDomainId,
      diskId: disk.id,
      volumeId: disk.imageId,
      format: disk.format,
      virtualBytes: disk.provisionedBytes,
      sparse: disk.sparse,
      ...(disk.initialBytes !== undefined && { initialBytes: disk.initialBytes }),
    });
    disk.provisionedBytes = info.virtualBytes;
    disk.status = "ok";
    store.changed();
  }
}

async function noop(): Promise<void> {}

function activeVolumeOf(info: DiskInfo): string {
  const active = info.chain.at(-1);
  if (active === undefined) throw notFound();
  return active.volumeId;
}
