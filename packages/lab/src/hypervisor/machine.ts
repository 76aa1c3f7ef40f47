import { rm } from "node:fs/promises";

import { NbdClient } from "@ovault/nbd";

import { DeviceFile, type DeviceParts } from "./device-file.ts";
import { activeOf, virtualBytesOf, type Volume } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";
import { performGuestWrite } from "./guest-write.ts";
import type { GuestWrite, NbdExport, PlugDevice } from "./hypervisor.ts";
import { addExport, removeExport } from "./nbd-exports.ts";
import { addScratchLayer, removeScratchLayer, type ScratchLayer } from "./scratch-layer.ts";
import { Serial } from "./serial.ts";
import type { StorageDaemon } from "./storage-daemon.ts";
import { closeChain, nodeName, openChain } from "./volume-nodes.ts";

/** A disk to plug, with everything needed to open it. */
export interface Plug {
  readonly diskId: string;
  /** From the base to the top volume: the active one, or a frozen one of a snapshot. */
  readonly chain: readonly Volume[];
  /** Path of the layer that takes the writes to a frozen volume. Absent: the disk itself is plugged. */
  readonly scratchPath: string | undefined;
  readonly device: PlugDevice | undefined;
}

interface HeldDisk {
  readonly chain: readonly Volume[];
  /** Takes the writes to a frozen disk of a snapshot. */
  readonly scratch: ScratchLayer | undefined;
  readonly device: DeviceFile | undefined;
  /**
   * The guest's view. It stays for the life of the plug: QEMU moves it when a backup, a snapshot or a merge changes the
   * top node, while an export made later would bypass a running backup.
   */
  readonly guest: NbdExport;
  readonly client: NbdClient;
}

/** A QEMU process that holds disks as its guest would: open for writing, with active bitmaps. */
export class Machine {
  readonly daemon: StorageDaemon;
  /** Serializes all changes of the machine, its disks and its bitmaps. */
  readonly serial = new Serial();
  readonly #deviceParts: DeviceParts;
  readonly #disks = new Map<string, HeldDisk>();
  readonly #ended = new AbortController();

  constructor(daemon: StorageDaemon, deviceParts: DeviceParts) {
    this.daemon = daemon;
    this.#deviceParts = deviceParts;
    void daemon.ended.then(() => this.#ended.abort());
  }

  /** Whether it has the disk itself, or a frozen state of it. */
  has(diskId: string): boolean {
    return this.#disks.has(diskId);
  }

  /** Whether it has the disk itself. */
  holds(diskId: string): boolean {
    return this.has(diskId) && this.#disk(diskId).scratch === undefined;
  }

  get alive(): boolean {
    return this.daemon.alive;
  }

  /** From the base to the active volume. */
  chain(diskId: string): readonly Volume[] {
    return this.#disk(diskId).chain;
  }

  /** The export for the guest's reads and writes. */
  guestExport(diskId: string): NbdExport {
    return this.#disk(diskId).guest;
  }

  async plug({ diskId, chain, scratchPath, device }: Plug): Promise<void> {
    const top = await openChain(this.daemon.qmp, chain, { writable: scratchPath === undefined });
    const scratch = scratchPath === undefined ? undefined : await this.#coverWithScratch(chain, scratchPath);
    const held = { chain, scratch, device: undefined, ...(await this.#serveGuest(scratch?.node ?? top)) };
    this.#disks.set(diskId, held);
    if (device === undefined) return;
    try {
      this.#disks.set(diskId, { ...held, device: await DeviceFile.show(this.#deviceParts, held.guest, device) });
    } catch (error) {
      await this.unplug(diskId);
      throw error;
    }
  }

  /** Waits until no process has the disk's device file open, and prevents new opens. Also ends with the machine. */
  async closeDevice(diskId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#disk(diskId).device?.close(AbortSignal.any([signal, this.#ended.signal]));
    } catch (error) {
      if (!this.#ended.signal.aborted) throw error;
    }
  }

  async unplug(diskId: string): Promise<void> {
    const { qmp } = this.daemon;
    const { chain, scratch, device, client, guest } = this.#disk(diskId);
    this.#disks.delete(diskId);
    await device?.remove();
    await client.close();
    await removeExport(this.daemon, guest.exportName);
    if (scratch !== undefined) await removeScratchLayer(qmp, scratch);
    await closeChain(qmp, chain);
  }

  async guestWrite(diskId: string, write: GuestWrite): Promise<void> {
    await performGuestWrite(this.#disk(diskId).client, write, this.#ended.signal);
  }

  /** Grows a disk. Its guest reconnects and its device appears anew, because QEMU does not resize what is exported. */
  async resize(diskId: string, virtualBytes: number): Promise<void> {
    const disk = this.#disk(diskId);
    const node = nodeName(activeOf(disk.chain));
    await disk.device?.remove();
    await disk.client.close();
    await removeExport(this.daemon, disk.guest.exportName);
    try {
      await this.daemon.qmp.execute("block_resize", { "node-name": node, size: virtualBytes });
    } finally {
      const served = await this.#serveGuest(node);
      const device = disk.device && (await DeviceFile.show(this.#deviceParts, served.guest, disk.device.device));
      this.#disks.set(diskId, { ...disk, ...served, device });
    }
  }

  /** Records the volumes of the disk after a snapshot or a merge. */
  replaceChain(diskId: string, chain: readonly Volume[]): void {
    this.#disks.set(diskId, { ...this.#disk(diskId), chain });
  }

  /** Ends the process, by a shutdown that writes everything back or like a power cut. Idempotent. */
  async stop({ graceful }: { readonly graceful: boolean }): Promise<void> {
    const disks = [...this.#disks.values()];
    this.#disks.clear();
    for (const { device } of disks) await device?.remove();
    if (graceful) {
      await Promise.all(disks.map(({ client }) => client.close()));
      await this.daemon.quit();
    } else {
      await this.daemon.kill();
      await Promise.all(disks.map(({ client }) => client.close()));
    }
    for (const { scratch } of disks) if (scratch !== undefined) await rm(scratch.path, { force: true });
  }

  async #coverWithScratch(chain: readonly Volume[], path: string): Promise<ScratchLayer> {
    const frozen = activeOf(chain);
    const node = nodeName(frozen);
    const scratch = { node: `s${node}`, path };
    await addScratchLayer(this.daemon.qmp, scratch, { node, virtualBytes: await virtualBytesOf(frozen) });
    return scratch;
  }

  async #serveGuest(node: string): Promise<{ guest: NbdExport; client: NbdClient }> {
    const guest = await addExport(this.daemon, { node, name: `guest-${node}`, writable: true });
    const { path, exportName } = guest;
    const client = await NbdClient.connect({ address: { path }, exportName, signal: this.#ended.signal });
    return { guest, client };
  }

  #disk(diskId: string): HeldDisk {
    const disk = this.#disks.get(diskId);
    if (disk === undefined) {
      throw new HypervisorError(`disk ${diskId} is not plugged here`, { context: { diskId } });
    }
    return disk;
  }
}
