import { mkdir, realpath, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { HypervisorError } from "./errors.ts";
import { FUSE_DEVICE, unmount, fuseProblem } from "./fuse.ts";
import type { NbdExport, PlugDevice } from "./hypervisor.ts";
import type { QmpArguments } from "./qmp-client.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { StorageDaemon } from "./storage-daemon.ts";

const POLL_MS = 20;
const NODE = "guest";

/** Dependencies of a device file. */
export interface DeviceParts {
  readonly run: RunDirectory;
  /** Starts the process that serves the file. */
  startDaemon(): Promise<StorageDaemon>;
}

/**
 * A disk as its guest sees it, shown as a file. A separate process, a client of the guest's NBD export, mounts it on an
 * empty file with QEMU's FUSE export: a writable one needs the right to resize, which it cannot get on a node that it
 * shares with an NBD export.
 */
export class DeviceFile {
  readonly device: PlugDevice;
  readonly #path: string;
  readonly #daemon: StorageDaemon;
  readonly #forget: () => Promise<void>;

  private constructor(device: PlugDevice, path: string, daemon: StorageDaemon, forget: () => Promise<void>) {
    this.device = device;
    this.#path = path;
    this.#daemon = daemon;
    this.#forget = forget;
  }

  /**
   * Shows a disk at a free path; makes its directory.
   * @throws HypervisorError when the path is taken, or this machine has no FUSE
   */
  static async show(parts: DeviceParts, guest: NbdExport, device: PlugDevice): Promise<DeviceFile> {
    const reason = await fuseProblem();
    if (reason !== undefined) throw cannotShow(device.path, reason, undefined);
    await mkdir(dirname(device.path), { recursive: true, mode: 0o700 });
    const path = join(await realpath(dirname(device.path)), basename(device.path)); // as the kernel names the mount
    const daemon = await parts.startDaemon();
    const file = new DeviceFile(device, path, daemon, await parts.run.noteDevice(path));
    try {
      await writeFile(path, "", { flag: "wx", mode: 0o600 });
    } catch (cause) {
      await file.#end();
      throw cannotShow(path, String(cause), cause);
    }
    try {
      await mount(daemon, path, guest, device);
      return file;
    } catch (cause) {
      await file.remove();
      throw cannotShow(path, String(cause), cause);
    }
  }

  /** Waits until no process has the file open, then closes it: it reads as empty from then on. */
  async close(signal: AbortSignal): Promise<void> {
    while (!(await unmount(this.#path, { lazily: false }))) await sleep(POLL_MS, undefined, { signal });
  }

  /** Removes the file. A process that still has it open gets errors. */
  async remove(): Promise<void> {
    await unmount(this.#path, { lazily: true });
    await rm(this.#path, { force: true });
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#daemon.quit();
    await this.#forget();
  }
}

async function mount({ qmp }: StorageDaemon, path: string, guest: NbdExport, device: PlugDevice): Promise<void> {
  const { writable } = device;
  await qmp.execute("blockdev-add", { ...nodeOptions(guest, device), "node-name": NODE, "read-only": !writable });
  await qmp.execute("block-export-add", {
    type: "fuse",
    id: "device",
    "node-name": NODE,
    mountpoint: path,
    writable,
    growable: false,
  });
}

function nodeOptions({ path, exportName }: NbdExport, { wrongBytes }: PlugDevice): QmpArguments {
  if (wrongBytes !== undefined) return { driver: "null-co", size: wrongBytes, "read-zeroes": true };
  return { driver: "nbd", server: { type: "unix", path }, export: exportName, discard: "unmap" };
}

function cannotShow(path: string, reason: string, cause: unknown): HypervisorError {
  return new HypervisorError(`the device ${path} cannot be shown: ${reason}`, {
    cause,
    context: { path },
    hint: `Disks are shown as files by FUSE: it takes the package fuse3, and a ${FUSE_DEVICE} that this user may open.`,
  });
}
