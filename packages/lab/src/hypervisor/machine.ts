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

/** What is to be plugged, with all that is needed to open it. */
export interface Plug {
  readonly diskId: string;
  /** From the base to the volume on top, which is the active one, or one that a snapshot froze. */
  readonly chain: readonly Volume[];
  /** Where the layer goes that takes the writes to a frozen volume. Absent: the disk itself is plugged. */
  readonly scratchPath: string | undefined;
  readonly device: PlugDevice | undefined;
}

interface HeldDisk {
  readonly chain: readonly Volume[];
  /** Takes the writes to a disk that a snapshot froze. */
  readonly scratch: ScratchLayer | undefined;
  readonly device: DeviceFile | undefined;
  /**
   * What the guest sees. It is made once and stays: QEMU moves it along when a backup, a snapshot or a merge changes
   * what is on top, while an export made later would pass a running backup by.
   */
  readonly guest: NbdExport;
  readonly client: NbdClient;
}

/** A QEMU process that holds disks, each as its guest would have it: open for writing, bitmaps counting. */
export class Machine {
  readonly daemon: StorageDaemon;
  /** Whatever changes the machine, its disks or its bitmaps goes through here. */
  readonly serial = new Serial();
  readonly #deviceParts: DeviceParts;
  readonly #disks = new Map<string, HeldDisk>();
  readonly #ended = new AbortController();

  constructor(daemon: StorageDaemon, deviceParts: DeviceParts) {
    this.daemon = daemon;
    this.#deviceParts = deviceParts;
    void daemon.ended.then(() => this.#ended.abort());
  }

  /** The disk itself, or what a snapshot froze of it. */
  has(diskId: string): boolean {
    return this.#disks.has(diskId);
  }

  /** The disk itself. */
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

  /** Where the guest reads and writes. */
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

  /** Waits until nobody has the disk's device file open, and lets nobody open it again. Also ends with the machine. */
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
    const node = nodeName(activeOf(disk.chain).volumeId);
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

  /** A snapshot or a merge has changed which volumes the disk consists of. */
  replaceChain(diskId: string, chain: readonly Volume[]): void {
    this.#disks.set(diskId, { ...this.#disk(diskId), chain });
  }

  /** Ends the process: as a shutdown that writes everything back, or as a power cut. Repeating it is not an error. */
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
    const node = nodeName(frozen.volumeId);
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
