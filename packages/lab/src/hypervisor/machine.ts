import { NbdClient } from "@ovault/nbd";

import { activeOf } from "./disk-tree.ts";
import type { Volume } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";
import { performGuestWrite } from "./guest-write.ts";
import type { GuestWrite, NbdExport } from "./hypervisor.ts";
import { addExport, removeExport } from "./nbd-exports.ts";
import { Serial } from "./serial.ts";
import type { StorageDaemon } from "./storage-daemon.ts";
import { closeChain, nodeName, openChain } from "./volume-nodes.ts";

interface HeldDisk {
  readonly chain: readonly Volume[];
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
  readonly #disks = new Map<string, HeldDisk>();
  readonly #ended = new AbortController();

  constructor(daemon: StorageDaemon) {
    this.daemon = daemon;
    void daemon.ended.then(() => this.#ended.abort());
  }

  holds(diskId: string): boolean {
    return this.#disks.has(diskId);
  }

  get alive(): boolean {
    return !this.#ended.signal.aborted;
  }

  /** From the base to the active volume. */
  chain(diskId: string): readonly Volume[] {
    return this.#disk(diskId).chain;
  }

  /** Where the guest reads and writes. */
  guestExport(diskId: string): NbdExport {
    return this.#disk(diskId).guest;
  }

  async plug(diskId: string, chain: readonly Volume[]): Promise<void> {
    const node = await openChain(this.daemon.qmp, chain, { writable: true });
    this.#disks.set(diskId, { chain, ...(await this.#serveGuest(node)) });
  }

  async unplug(diskId: string): Promise<void> {
    const { chain, client, guest } = this.#disk(diskId);
    this.#disks.delete(diskId);
    await client.close();
    await removeExport(this.daemon, guest.exportName);
    await closeChain(this.daemon.qmp, chain);
  }

  async guestWrite(diskId: string, write: GuestWrite): Promise<void> {
    await performGuestWrite(this.#disk(diskId).client, write, this.#ended.signal);
  }

  /** Grows a disk. Its guest reconnects, because QEMU does not resize what is exported. */
  async resize(diskId: string, virtualBytes: number): Promise<void> {
    const { chain, client, guest } = this.#disk(diskId);
    const node = nodeName(activeOf(chain).volumeId);
    await client.close();
    await removeExport(this.daemon, guest.exportName);
    try {
      await this.daemon.qmp.execute("block_resize", { "node-name": node, size: virtualBytes });
    } finally {
      this.#disks.set(diskId, { chain, ...(await this.#serveGuest(node)) });
    }
  }

  /** A snapshot or a merge has changed which volumes the disk consists of. */
  replaceChain(diskId: string, chain: readonly Volume[]): void {
    this.#disks.set(diskId, { ...this.#disk(diskId), chain });
  }

  /** Ends the process: as a shutdown that writes everything back, or as a power cut. */
  async stop({ graceful }: { readonly graceful: boolean }): Promise<void> {
    if (graceful) {
      await Promise.all([...this.#disks.values()].map(({ client }) => client.close()));
      await this.daemon.quit();
    } else {
      await this.daemon.kill();
      await Promise.all([...this.#disks.values()].map(({ client }) => client.close()));
    }
    this.#disks.clear();
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
