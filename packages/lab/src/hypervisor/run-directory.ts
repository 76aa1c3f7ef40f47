import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { signalProcess } from "../processes.ts";
import { unmount } from "./fuse.ts";

const SOCKETS = "sockets";
const DEVICE = ".device";
const PREFIX = "ovault-lab-";
const POLL_MS = 20;
const PATIENCE_MS = 5_000;

/**
 * `ROOT/run`: state of one run of the lab. It holds a pid file of each QEMU process, the path of each device file, and
 * the name of the directory of their sockets, which lies in the temporary directory because the path of a socket must
 * be short.
 */
export class RunDirectory {
  readonly sockets: string;
  readonly #path: string;

  private constructor(path: string, sockets: string) {
    this.#path = path;
    this.sockets = sockets;
  }

  /** Waits for, or ends, the processes of a killed lab, removes its device files, then begins anew. */
  static async open(root: string): Promise<RunDirectory> {
    const path = join(root, "run");
    await mkdir(path, { recursive: true, mode: 0o700 });
    const names = await readdir(path);
    for (const name of names) {
      if (name.endsWith(".pid")) await endLeftover(join(path, name));
      if (name === SOCKETS) await removeSockets(await readFile(join(path, name), "utf8"));
    }
    for (const name of names.filter((candidate) => candidate.endsWith(DEVICE))) {
      await removeStaleDevice(await readFile(join(path, name), "utf8"));
    }
    await rm(path, { recursive: true });
    await mkdir(path, { mode: 0o700 });
    const sockets = await mkdtemp(join(tmpdir(), PREFIX));
    await writeFile(join(path, SOCKETS), sockets, { mode: 0o600 });
    return new RunDirectory(path, sockets);
  }

  pidFile(name: string): string {
    return join(this.#path, `${name}.pid`);
  }

  /** Records a device file, for cleanup after a kill; returns a function that removes the record. */
  async noteDevice(device: string): Promise<() => Promise<void>> {
    const note = join(this.#path, `${randomUUID()}${DEVICE}`);
    await writeFile(note, device, { mode: 0o600 });
    return () => rm(note);
  }

  async remove(): Promise<void> {
    await removeSockets(this.sockets);
    await rm(this.#path, { recursive: true, force: true });
  }
}

/** Ends only a process whose command line names the pid file, and so is ours. */
async function endLeftover(pidFile: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile, "utf8"), 10);
  const deadline = Date.now() + PATIENCE_MS;
  while (await runsWith(pid, pidFile)) {
    signalProcess(pid, Date.now() < deadline ? "SIGTERM" : "SIGKILL");
    await sleep(POLL_MS);
  }
}

async function runsWith(pid: number, argument: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(argument);
}

async function removeSockets(path: string): Promise<void> {
  if (dirname(path) === tmpdir() && basename(path).startsWith(PREFIX)) await rm(path, { recursive: true, force: true });
}

/** Called when its QEMU process is gone. Keeps a file with content: that is not, or no longer, a device of ours. */
async function removeStaleDevice(path: string): Promise<void> {
  await unmount(path, { lazily: true });
  const file = await stat(path).catch(() => undefined);
  if (file?.size === 0) await rm(path);
}
