import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

import { NfsVolumes, type NfsDomain } from "../data-domain/nfs-volumes.ts";
import type { DataVolume } from "../data-domain/volume-metadata.ts";
import { HostNetwork } from "../nfs/host-network.ts";
import { Backup } from "./backup.ts";
import { bitmapsAtRest, bitmapsInUse, traceCheckpoint } from "./bitmaps.ts";
import { DiskTree, activeOf, isOnNfs, qemuFormat, recordOf, virtualBytesOf } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";
import { addExport } from "./nbd-exports.ts";
import { fuseProblem } from "./fuse.ts";
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
import { importVolumes } from "./import-volumes.ts";
import { Machine, type Plug } from "./machine.ts";
import { moveAtRest, moveLive } from "./move-disk.ts";
import { digHoles, inspectChain, qemuImg, writeZeros } from "./qemu-img.ts";
import { RunDirectory } from "./run-directory.ts";
import { createSnapshot, removeSnapshot } from "./snapshots.ts";
import { StorageDaemon } from "./storage-daemon.ts";
import { nodeName, openChain, setWritable } from "./volume-nodes.ts";

interface RunningBackup {
  readonly vmId: string;
  readonly backup: Backup;
  /** The machine was started for this backup. */
  readonly cold: boolean;
}

interface RunningExport {
  readonly diskId: string;
  /** An export of frozen volumes, which writes to the disk do not touch. */
  readonly frozen: boolean;
  readonly daemon: StorageDaemon;
}

/** The hypervisor of the lab: one `qemu-storage-daemon` for each running machine, cold backup or image transfer. */
export class QemuHypervisor implements Hypervisor {
  readonly #tree: DiskTree;
  readonly #run: RunDirectory;
  readonly #scratchDirectory: string;
  readonly #machines = new Map<string, Machine>();
  readonly #backups = new Map<string, RunningBackup>();
  readonly #exports = new Map<string, RunningExport>();
  readonly #daemons = new Set<StorageDaemon>();
  #network: Promise<HostNetwork> | undefined;
  #started = 0;

  private constructor(tree: DiskTree, run: RunDirectory, scratchDirectory: string) {
    this.#tree = tree;
    this.#run = run;
    this.#scratchDirectory = scratchDirectory;
  }

  /**
   * Opens a tree of disks, or begins one. All machines are down; ends QEMU processes that a killed lab left behind.
   * Only one hypervisor may have a tree open.
   */
  static async open(root: string): Promise<QemuHypervisor> {
    const path = resolve(root);
    const tree = await DiskTree.open(path);
    const run = await RunDirectory.open(path);
    const scratch = join(path, "scratch");
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { mode: 0o700 });
    return new QemuHypervisor(tree, run, scratch);
  }

  async importDisk({ source, volumeId, baseVolumeId, ...disk }: ImportDisk): Promise<DiskInfo> {
    await this.#tree.makeDirectory(disk);
    try {
      const image = { source, volumeId, ...(baseVolumeId !== undefined && { baseVolumeId }) };
      const volumes = await importVolumes(image, (id) => this.#tree.path(disk, id));
      const isRemote = this.#tree.mounted(disk.storageDomainId) !== undefined;
      const kept = isRemote ? { virtualBytes: (await inspectChain(source))[0]?.["virtual-size"] ?? 0 } : {};
      await this.#tree.put({ ...disk, volumes: volumes.map((volume) => ({ ...volume, ...kept })) });
    } catch (error) {
      await this.#tree.discard(disk);
      throw error;
    }
    return this.#tree.info(disk.diskId);
  }

  async createDisk({ diskId, storageDomainId, volumeId, format, virtualBytes, sparse }: CreateDisk): Promise<DiskInfo> {
    const disk = { diskId, storageDomainId };
    await this.#tree.makeDirectory(disk);
    const path = this.#tree.path(disk, volumeId);
    const isAllocated = format === "raw" && !sparse;
    const options = isAllocated && !isOnNfs(path) ? ["-o", "preallocation=falloc"] : [];
    try {
      await qemuImg("create", "-q", "-f", qemuFormat({ volumeId, format }), ...options, path, String(virtualBytes));
      if (isAllocated && isOnNfs(path)) await writeZeros(path, virtualBytes); // NFSv3 knows no other way
      const kept = isOnNfs(path) ? { virtualBytes, sparse } : {};
      await this.#tree.put({ ...disk, volumes: [{ volumeId, format, ...kept }] });
    } catch (error) {
      await this.#tree.discard(disk);
      throw error;
    }
    return this.#tree.info(diskId);
  }

  async copyVolume({ diskId, volumeId }: FrozenVolume, to: Omit<CreateDisk, "virtualBytes">): Promise<DiskInfo> {
    const frozen = activeOf(this.#tree.chainTo(diskId, volumeId));
    await this.createDisk({ ...to, virtualBytes: await virtualBytesOf(frozen) });
    const target = activeOf(this.#tree.volumes(to.diskId));
    const formats = ["-f", qemuFormat(frozen), "-O", qemuFormat(target)];
    try {
      await qemuImg("convert", "-n", "--force-share", ...formats, frozen.path, target.path);
    } catch (error) {
      await this.#tree.remove(to.diskId);
      throw error;
    }
    return this.#tree.info(to.diskId);
  }

  async removeDisk(diskId: string): Promise<void> {
    if (!this.#tree.has(diskId)) return;
    this.#refuseInUse(diskId);
    if ([...this.#machines.values()].some((machine) => machine.has(diskId))) throw inUse(diskId);
    await this.#tree.remove(diskId);
  }

  async sparsify(diskId: string): Promise<void> {
    this.#refuseInUse(diskId);
    if ([...this.#machines.values()].some((machine) => machine.has(diskId))) throw inUse(diskId);
    await digHoles(activeOf(this.#tree.volumes(diskId)).path);
  }

  async resizeDisk(diskId: string, virtualBytes: number): Promise<DiskInfo> {
    const { virtualBytes: before } = await this.#tree.info(diskId);
    if (virtualBytes < before) {
      const context = { diskId, virtualBytes, before };
      throw new HypervisorError(`disk ${diskId} cannot shrink from ${before} to ${virtualBytes} bytes`, { context });
    }
    await this.#holding([diskId], async (machine) => {
      await machine.resize(diskId, virtualBytes);
      await this.#recordSize(diskId, virtualBytes, machine);
    });
    return this.#tree.info(diskId);
  }

  diskInfo(diskId: string): Promise<DiskInfo> {
    return this.#tree.info(diskId);
  }

  listDisks(): readonly string[] {
    return this.#tree.list();
  }

  async mount(domain: NfsDomain): Promise<void> {
    this.#network ??= HostNetwork.open();
    const network = await this.#network.catch((error: unknown) => {
      this.#network = undefined;
      throw error;
    });
    this.#tree.mount(await NfsVolumes.open(domain, network, this.#run.sockets));
  }

  async unmount(domainId: string): Promise<void> {
    const volumes = this.#tree.mounted(domainId);
    for (const diskId of this.#tree.list()) {
      if (this.#tree.get(diskId).storageDomainId === domainId) await this.#tree.release(diskId);
    }
    this.#tree.unmount(domainId);
    await volumes?.close();
  }

  async volumesOn(domainId: string): Promise<readonly DataVolume[]> {
    return this.#mounted(domainId).list();
  }

  async adoptDisk(volumes: readonly DataVolume[]): Promise<DiskInfo> {
    const { diskId, domainId: storageDomainId } = activeOf(volumes);
    await this.#mounted(storageDomainId).check(volumes);
    const records = volumes.map(({ volumeId, format, virtualBytes, sparse }) => ({
      volumeId,
      format,
      virtualBytes,
      sparse,
    }));
    await this.#tree.put({ diskId, storageDomainId, volumes: records });
    return this.#tree.info(diskId);
  }

  async moveDisk(diskId: string, target: MoveTarget): Promise<void> {
    const holder = this.#holder(diskId);
    if (holder === undefined) {
      this.#refuseInUse(diskId);
      return moveAtRest(this.#tree, diskId, target);
    }
    const isRemote = this.#tree.mounted(target.storageDomainId) !== undefined;
    if (isRemote && !holder.daemon.seesNfs) throw startedTooEarly(diskId);
    await moveLive(holder, this.#tree, diskId, target);
  }

  async startVm(vmId: string, disks: readonly PlugDisk[]): Promise<void> {
    if (this.vmState(vmId) === "up") throw new HypervisorError(`machine ${vmId} is up already`, { context: { vmId } });
    const devices = disks.some(({ device }) => device !== undefined) && (await fuseProblem()) === undefined;
    const plugs = disks.map((disk) => this.#plugOf(disk));
    const machine = await this.#startMachine(devices ? plugs : plugs.map(withoutDevice));
    this.#machines.set(vmId, machine);
    void machine.daemon.ended
      .then(() => {
        if (this.#machines.get(vmId) === machine) this.#machines.delete(vmId);
        return machine.stop({ graceful: false }); // it may have ended by itself
      })
      .catch(() => undefined); // what it leaves is removed when the tree is opened again
  }

  async stopVm(vmId: string, options: { readonly graceful: boolean }): Promise<void> {
    const machine = this.#machines.get(vmId);
    if (machine === undefined) return;
    if (options.graceful) {
      for (const backupId of this.#backupsOf(machine)) await this.stopBackup(backupId);
      await machine.serial.run(() => machine.stop(options));
    } else {
      await machine.stop(options);
      for (const backupId of this.#backupsOf(machine)) await this.stopBackup(backupId);
    }
    this.#machines.delete(vmId);
  }

  async plugDisk(vmId: string, disk: PlugDisk): Promise<void> {
    const machine = this.#machine(vmId);
    const plug = this.#plugOf(disk);
    if (plug.chain.some(({ path }) => isOnNfs(path)) && !machine.daemon.seesNfs) throw startedTooEarly(disk.diskId);
    await machine.serial.run(() => machine.plug(plug));
  }

  async unplugDisk(vmId: string, diskId: string, signal: AbortSignal): Promise<void> {
    const machine = this.#machine(vmId);
    await machine.closeDevice(diskId, signal);
    await machine.serial.run(async () => {
      if (machine.has(diskId)) await machine.unplug(diskId); // else the machine has stopped meanwhile
    });
  }

  whyNoDevices(): Promise<string | undefined> {
    return fuseProblem();
  }

  vmState(vmId: string): "up" | "down" {
    return this.#machines.get(vmId)?.alive === true ? "up" : "down";
  }

  async guestWrite(diskId: string, write: GuestWrite): Promise<void> {
    const machine = [...this.#machines.values()].find((candidate) => candidate.holds(diskId));
    if (machine === undefined) {
      throw new HypervisorError(`no running machine has disk ${diskId}`, {
        context: { diskId },
        hint: "Only a guest writes to its disk: start the machine first.",
      });
    }
    await machine.serial.run(() => machine.guestWrite(diskId, write));
  }

  async startBackup(request: StartBackup): Promise<readonly BackupDisk[]> {
    const { backupId, vmId } = request;
    if (this.#backups.has(backupId)) throw new HypervisorError(`backup ${backupId} exists`, { context: { backupId } });
    const running = this.#machines.get(vmId);
    const cold = running === undefined;
    const machine = running ?? (await this.#startMachine(request.disks.map(({ diskId }) => this.#plugOf({ diskId }))));
    try {
      const backup = await machine.serial.run(() => Backup.start(machine, request, this.#scratchDirectory));
      this.#backups.set(backupId, { vmId, backup, cold });
      return backup.disks;
    } catch (error) {
      if (cold) await machine.stop({ graceful: true });
      throw error;
    }
  }

  async stopBackup(backupId: string): Promise<void> {
    const running = this.#backups.get(backupId);
    if (running === undefined) return;
    this.#backups.delete(backupId);
    const { backup, cold } = running;
    const { machine } = backup;
    await machine.serial.run(() => backup.stop());
    if (cold) await machine.stop({ graceful: true });
  }

  async checkpointState(diskId: string, checkpointId: string): Promise<CheckpointState> {
    const chain = this.#tree.volumes(diskId);
    const machine = this.#holder(diskId);
    const bitmaps = machine ? await bitmapsInUse(machine.daemon.qmp, chain) : await bitmapsAtRest(chain);
    return traceCheckpoint(chain, bitmaps, checkpointId).state;
  }

  async removeCheckpoint(diskIds: readonly string[], checkpointId: string): Promise<void> {
    for (const diskId of diskIds) {
      await this.#holding([diskId], async ({ daemon }) => {
        const chain = this.#tree.volumes(diskId);
        const bitmaps = await bitmapsInUse(daemon.qmp, chain);
        for (const [index, volume] of chain.entries()) {
          if (bitmaps.get(volume.volumeId)?.some(({ name }) => name === checkpointId) !== true) continue;
          const node = nodeName(volume);
          const below = chain[index - 1];
          const backing = below === undefined ? null : nodeName(below);
          const isFrozen = index < chain.length - 1;
          // As libvirt does: the bitmaps of a frozen volume cannot be changed otherwise.
          if (isFrozen) await setWritable(daemon.qmp, volume, { writable: true, backing });
          await daemon.qmp.execute("block-dirty-bitmap-remove", { node, name: checkpointId });
          if (isFrozen) await setWritable(daemon.qmp, volume, { writable: false, backing });
        }
      });
    }
  }

  async breakCheckpoints(diskId: string): Promise<void> {
    const victim = await this.#startMachine([this.#plugOf({ diskId })]);
    await victim.stop({ graceful: false }); // the file was opened for writing, so its bitmaps stay marked "in use"
  }

  async createSnapshot(disks: readonly SnapshotDisk[]): Promise<void> {
    const diskIds = disks.map(({ diskId }) => diskId);
    await this.#holding(diskIds, (machine) => createSnapshot(machine, this.#tree, disks));
  }

  async removeSnapshot(diskId: string, volumeId: string): Promise<void> {
    await this.#holding([diskId], (machine) => removeSnapshot(machine, this.#tree, diskId, volumeId));
  }

  async openExport({ exportId, diskId, volumeId, shallow = false, writable }: OpenExport): Promise<NbdExport> {
    if (this.#exports.has(exportId)) throw new HypervisorError(`export ${exportId} exists`, { context: { exportId } });
    const chain = this.#tree.chainTo(diskId, volumeId);
    const active = activeOf(chain);
    if (writable) this.#refuseInUse(diskId);
    const daemon = await this.#startDaemon();
    const frozen = active.volumeId !== activeOf(this.#tree.volumes(diskId)).volumeId;
    this.#exports.set(exportId, { diskId, frozen, daemon });
    try {
      const layers = shallow ? [active] : chain;
      const node = await openChain(daemon.qmp, layers, { writable, detectZeroes: true });
      // a raw image has no layers to distinguish; oVirt omits the context there
      return await addExport(daemon, { node, name: exportId, writable, allocationDepth: active.format === "cow" });
    } catch (error) {
      await this.closeExport(exportId);
      throw error;
    }
  }

  async closeExport(exportId: string): Promise<void> {
    const running = this.#exports.get(exportId);
    if (running === undefined) return;
    await running.daemon.quit();
    this.#exports.delete(exportId);
  }

  async view(diskId: string, rawPath: string): Promise<void> {
    const machine = this.#holder(diskId);
    if (machine === undefined) {
      const active = activeOf(this.#tree.volumes(diskId));
      await qemuImg("convert", "-f", qemuFormat(active), "-O", "raw", active.path, rawPath);
      return;
    }
    const { path, exportName } = machine.guestExport(diskId);
    const file = { driver: "nbd", server: { type: "unix", path }, export: exportName };
    const image = `json:${JSON.stringify({ driver: "raw", file })}`;
    await machine.serial.run(() => qemuImg("convert", "-O", "raw", image, rawPath));
  }

  async close(): Promise<void> {
    try {
      for (const backupId of this.#backups.keys()) await this.stopBackup(backupId);
      for (const vmId of this.#machines.keys()) await this.stopVm(vmId, { graceful: true });
    } finally {
      for (const daemon of this.#daemons) await daemon.quit();
      for (const volumes of this.#tree.mounts) await volumes.close();
      await (await this.#network)?.close();
      await this.#run.remove();
    }
  }

  /** Of a volume whose file is not asked for its size. */
  async #recordSize(diskId: string, virtualBytes: number, machine: Machine): Promise<void> {
    const chain = machine.chain(diskId);
    if (activeOf(chain).virtualBytes === undefined) return;
    const grown = chain.map((volume) => (volume === activeOf(chain) ? { ...volume, virtualBytes } : volume));
    machine.replaceChain(diskId, grown);
    await this.#tree.put({ ...this.#tree.get(diskId), volumes: grown.map(recordOf) });
  }

  /** Runs a task with the machine that holds the disks, or with a temporary one. */
  async #holding(diskIds: readonly string[], task: (machine: Machine) => Promise<void>): Promise<void> {
    const [holder, another] = new Set(diskIds.map((diskId) => this.#holder(diskId)));
    if (another !== undefined) throw new HypervisorError("these disks are not all in one machine");
    if (holder) return holder.serial.run(() => task(holder));
    const machine = await this.#startMachine(diskIds.map((diskId) => this.#plugOf({ diskId })));
    try {
      await task(machine);
    } finally {
      await machine.stop({ graceful: true });
    }
  }

  async #startMachine(plugs: readonly Plug[]): Promise<Machine> {
    const deviceParts = { run: this.#run, startDaemon: () => this.#startDaemon() };
    const machine = new Machine(await this.#startDaemon(), deviceParts);
    try {
      for (const plug of plugs) await machine.plug(plug);
      return machine;
    } catch (error) {
      await machine.stop({ graceful: true });
      throw error;
    }
  }

  /** @throws HypervisorError when the plug is of the disk itself and the disk is in use */
  #plugOf({ diskId, snapshotVolumeId, device }: PlugDisk): Plug {
    if (snapshotVolumeId === undefined) {
      const exported = [...this.#exports.values()].some((running) => running.diskId === diskId && !running.frozen);
      if (exported || this.#holder(diskId) !== undefined) throw inUse(diskId);
      return { diskId, chain: this.#tree.volumes(diskId), scratchPath: undefined, device };
    }
    const chain = this.#tree.chainTo(diskId, snapshotVolumeId);
    return { diskId, chain, scratchPath: join(this.#scratchDirectory, `${randomUUID()}.qcow2`), device };
  }

  async #startDaemon(): Promise<StorageDaemon> {
    this.#started += 1;
    const daemon = await StorageDaemon.start(this.#run, `qemu${this.#started}`, await this.#network);
    this.#daemons.add(daemon);
    void daemon.ended.then(() => this.#daemons.delete(daemon));
    return daemon;
  }

  #mounted(domainId: string): NfsVolumes {
    const volumes = this.#tree.mounted(domainId);
    if (volumes === undefined) throw new HypervisorError(`storage domain ${domainId} is not mounted`);
    return volumes;
  }

  #machine(vmId: string): Machine {
    const machine = this.#machines.get(vmId);
    if (machine === undefined) throw new HypervisorError(`machine ${vmId} is down`, { context: { vmId } });
    return machine;
  }

  /** The machine, running or started for a backup, that holds a disk. */
  #holder(diskId: string): Machine | undefined {
    const cold = [...this.#backups.values()].map(({ backup }) => backup.machine);
    return [...this.#machines.values(), ...cold].find((machine) => machine.holds(diskId));
  }

  #backupsOf(machine: Machine): readonly string[] {
    return [...this.#backups].filter(([, { backup }]) => backup.machine === machine).map(([backupId]) => backupId);
  }

  #refuseInUse(diskId: string): void {
    const exported = [...this.#exports.values()].some((running) => running.diskId === diskId);
    if (exported || this.#holder(diskId) !== undefined) throw inUse(diskId);
  }
}

function withoutDevice(plug: Plug): Plug {
  return { ...plug, device: undefined };
}

function startedTooEarly(diskId: string): HypervisorError {
  return new HypervisorError(`the machine of disk ${diskId} was started before its host mounted an NFS export`, {
    context: { diskId },
    hint: "Stop the machine and start it again.",
  });
}

function inUse(diskId: string): HypervisorError {
  return new HypervisorError(`disk ${diskId} is in use`, {
    context: { diskId },
    hint: "Stop the machine, backup or image transfer that uses it first.",
  });
}
