import type { NfsDomain } from "../data-domain/nfs-volumes.ts";
import type { DataVolume } from "../data-domain/volume-metadata.ts";
import type { BlockStorage } from "./block-storage.ts";
import type {
  BackupDisk,
  CheckpointState,
  CreateDisk,
  DiskInfo,
  FrozenVolume,
  GuestWrite,
  Hypervisor,
  ImportDisk,
  MoveTarget,
  NbdExport,
  OpenExport,
  PlugDisk,
  SnapshotDisk,
  StartBackup,
} from "./hypervisor.ts";
import { MirroredDisks } from "./mirrored-disks.ts";

/**
 * A hypervisor whose block storage domains are in a BlockStorage too. While a machine has a disk, its file is what
 * counts, and is written there whenever its volumes change; else a host may have written there.
 */
export class MirroringHypervisor implements Hypervisor {
  readonly #inner: Hypervisor;
  readonly #domainIds: ReadonlySet<string>;
  readonly #mirrored: MirroredDisks;
  /** Mirrored disks that a machine has, by machine. */
  readonly #plugged = new Map<string, ReadonlySet<string>>();
  /** The machine that has a disk, mirrored or not. */
  readonly #machines = new Map<string, string>();
  readonly #exports = new Map<string, string>();

  constructor(inner: Hypervisor, storage: BlockStorage, domainIds: readonly string[]) {
    this.#inner = inner;
    this.#domainIds = new Set(domainIds);
    this.#mirrored = new MirroredDisks(storage, (diskId) => inner.diskInfo(diskId));
  }

  async importDisk(request: ImportDisk): Promise<DiskInfo> {
    return this.#made(await this.#inner.importDisk(request));
  }

  async createDisk(request: CreateDisk): Promise<DiskInfo> {
    const { diskId, initialBytes } = request;
    if (initialBytes !== undefined) this.#mirrored.setInitialBytes(diskId, initialBytes);
    return this.#made(await this.#inner.createDisk(request));
  }

  async copyVolume(from: FrozenVolume, to: Omit<CreateDisk, "virtualBytes">): Promise<DiskInfo> {
    return this.#made(await this.#inner.copyVolume(from, to));
  }

  async removeDisk(diskId: string): Promise<void> {
    const isThere = this.#inner.listDisks().includes(diskId);
    const removed = isThere && (await this.#isMirrored(diskId)) ? await this.#inner.diskInfo(diskId) : undefined;
    await this.#inner.removeDisk(diskId);
    if (removed !== undefined) await this.#mirrored.remove(removed);
  }

  async resizeDisk(diskId: string, virtualBytes: number): Promise<DiskInfo> {
    await this.#fromHosts([diskId]);
    const info = await this.#inner.resizeDisk(diskId, virtualBytes);
    await this.#toHosts([diskId]);
    return info;
  }

  async sparsify(diskId: string): Promise<void> {
    await this.#fromHosts([diskId]);
    await this.#inner.sparsify(diskId);
    await this.#toHosts([diskId]);
  }

  diskInfo(diskId: string): Promise<DiskInfo> {
    return this.#inner.diskInfo(diskId);
  }

  listDisks(): readonly string[] {
    return this.#inner.listDisks();
  }

  mount(domain: NfsDomain): Promise<void> {
    return this.#inner.mount(domain);
  }

  unmount(domainId: string): Promise<void> {
    return this.#inner.unmount(domainId);
  }

  volumesOn(domainId: string): Promise<readonly DataVolume[]> {
    return this.#inner.volumesOn(domainId);
  }

  adoptDisk(volumes: readonly DataVolume[]): Promise<DiskInfo> {
    return this.#inner.adoptDisk(volumes);
  }

  async moveDisk(diskId: string, target: MoveTarget): Promise<void> {
    await this.#fromHosts([diskId]);
    const before = (await this.#isMirrored(diskId)) ? await this.#inner.diskInfo(diskId) : undefined;
    await this.#inner.moveDisk(diskId, target);
    if (before !== undefined) await this.#mirrored.remove(before);
    const vmId = this.#machines.get(diskId);
    if (vmId !== undefined) {
      const others = [...(this.#plugged.get(vmId) ?? [])].filter((plugged) => plugged !== diskId);
      await this.#use(vmId, (await this.#isMirrored(diskId)) ? [...others, diskId] : others);
    }
    await this.#toHosts([diskId]);
  }

  async startVm(vmId: string, disks: readonly PlugDisk[]): Promise<void> {
    const own = await this.#ownOf(disks);
    await this.#fromHosts(own);
    await this.#inner.startVm(vmId, disks);
    this.#hold(vmId, disks);
    await this.#use(vmId, own);
  }

  async stopVm(vmId: string, options: { readonly graceful: boolean }): Promise<void> {
    await this.#inner.stopVm(vmId, options);
    for (const [diskId, holder] of this.#machines) if (holder === vmId) this.#machines.delete(diskId);
    const released = [...(this.#plugged.get(vmId) ?? [])];
    await this.#use(vmId, []);
    await this.#toHosts(released);
  }

  async plugDisk(vmId: string, disk: PlugDisk): Promise<void> {
    const own = await this.#ownOf([disk]);
    await this.#fromHosts(own);
    await this.#inner.plugDisk(vmId, disk);
    this.#hold(vmId, [disk]);
    await this.#use(vmId, [...(this.#plugged.get(vmId) ?? []), ...own]);
  }

  async unplugDisk(vmId: string, diskId: string, signal: AbortSignal): Promise<void> {
    await this.#inner.unplugDisk(vmId, diskId, signal);
    if (this.#machines.get(diskId) === vmId) this.#machines.delete(diskId);
    const before = [...(this.#plugged.get(vmId) ?? [])];
    if (!before.includes(diskId)) return;
    await this.#use(
      vmId,
      before.filter((plugged) => plugged !== diskId),
    );
    await this.#toHosts([diskId]);
  }

  whyNoDevices(): Promise<string | undefined> {
    return this.#inner.whyNoDevices();
  }

  vmState(vmId: string): "up" | "down" {
    return this.#inner.vmState(vmId);
  }

  guestWrite(diskId: string, write: GuestWrite): Promise<void> {
    return this.#inner.guestWrite(diskId, write);
  }

  async startBackup(request: StartBackup): Promise<readonly BackupDisk[]> {
    await this.#fromHosts(request.disks.map(({ diskId }) => diskId));
    return this.#inner.startBackup(request);
  }

  stopBackup(backupId: string): Promise<void> {
    return this.#inner.stopBackup(backupId);
  }

  checkpointState(diskId: string, checkpointId: string): Promise<CheckpointState> {
    return this.#inner.checkpointState(diskId, checkpointId);
  }

  removeCheckpoint(diskIds: readonly string[], checkpointId: string): Promise<void> {
    return this.#inner.removeCheckpoint(diskIds, checkpointId);
  }

  breakCheckpoints(diskId: string): Promise<void> {
    return this.#inner.breakCheckpoints(diskId);
  }

  async createSnapshot(disks: readonly SnapshotDisk[]): Promise<void> {
    const diskIds = disks.map(({ diskId }) => diskId);
    await this.#fromHosts(diskIds);
    await this.#inner.createSnapshot(disks);
    await this.#toHosts(diskIds);
  }

  async removeSnapshot(diskId: string, volumeId: string): Promise<void> {
    await this.#fromHosts([diskId]);
    await this.#inner.removeSnapshot(diskId, volumeId);
    await this.#toHosts([diskId]);
  }

  async openExport(request: OpenExport): Promise<NbdExport> {
    await this.#fromHosts([request.diskId]);
    const opened = await this.#inner.openExport(request);
    if (request.writable) this.#exports.set(request.exportId, request.diskId);
    return opened;
  }

  async closeExport(exportId: string): Promise<void> {
    await this.#inner.closeExport(exportId);
    const diskId = this.#exports.get(exportId);
    this.#exports.delete(exportId);
    if (diskId !== undefined) await this.#toHosts([diskId]);
  }

  async view(diskId: string, rawPath: string): Promise<void> {
    await this.#fromHosts([diskId]);
    await this.#inner.view(diskId, rawPath);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #made(info: DiskInfo): Promise<DiskInfo> {
    await this.#toHosts([info.diskId]);
    return info;
  }

  #hold(vmId: string, disks: readonly PlugDisk[]): void {
    for (const { diskId, snapshotVolumeId } of disks) {
      if (snapshotVolumeId === undefined) this.#machines.set(diskId, vmId);
    }
  }

  /** Of disks that no machine has. */
  async #fromHosts(diskIds: readonly string[]): Promise<void> {
    const plugged = new Set([...this.#plugged.values()].flatMap((disks) => [...disks]));
    for (const diskId of diskIds) {
      if (!plugged.has(diskId) && (await this.#isMirrored(diskId))) await this.#mirrored.pull(diskId);
    }
  }

  async #toHosts(diskIds: readonly string[]): Promise<void> {
    for (const diskId of diskIds) if (await this.#isMirrored(diskId)) await this.#mirrored.push(diskId);
    for (const [vmId, plugged] of this.#plugged) {
      if (diskIds.some((diskId) => plugged.has(diskId))) await this.#mirrored.use(vmId, [...plugged]);
    }
  }

  /** Records the disks that a machine has now. */
  async #use(vmId: string, diskIds: readonly string[]): Promise<void> {
    if (diskIds.length === 0 && !this.#plugged.has(vmId)) return;
    if (diskIds.length === 0) this.#plugged.delete(vmId);
    else this.#plugged.set(vmId, new Set(diskIds));
    await this.#mirrored.use(vmId, diskIds);
  }

  /** The mirrored ones among them, without snapshots of other machines' disks. */
  async #ownOf(disks: readonly PlugDisk[]): Promise<readonly string[]> {
    const own: string[] = [];
    for (const { diskId, snapshotVolumeId } of disks) {
      if (snapshotVolumeId === undefined && (await this.#isMirrored(diskId))) own.push(diskId);
    }
    return own;
  }

  async #isMirrored(diskId: string): Promise<boolean> {
    const { storageDomainId } = await this.#inner.diskInfo(diskId);
    return this.#domainIds.has(storageDomainId);
  }
}
