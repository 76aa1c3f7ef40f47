import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

import type { HostNetwork } from "../nfs/host-network.ts";
import { HypervisorError } from "./errors.ts";
import { QmpClient } from "./qmp-client.ts";
import type { RunDirectory } from "./run-directory.ts";

/** How long the end of a process may wait for an NFS server. */
const NFS_PATIENCE_MS = 10_000;

/**
 * One `qemu-storage-daemon`: QEMU's block layer without a machine around it, with a QMP monitor and an NBD server on a
 * unix socket. It ends gracefully when this process dies, for whatever reason.
 */
export class StorageDaemon {
  readonly qmp: QmpClient;
  /** Unix socket of its NBD server. */
  readonly nbdPath: string;
  readonly pid: number;
  /** It can open disks on NFS servers. */
  readonly seesNfs: boolean;
  /** Settles when the process has ended; never rejects. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #alive = true;

  private constructor(
    child: ChildProcess,
    pid: number,
    qmp: QmpClient,
    nbdPath: string,
    ended: Promise<void>,
    seesNfs: boolean,
  ) {
    this.seesNfs = seesNfs;
    this.#child = child;
    this.pid = pid;
    this.qmp = qmp;
    this.nbdPath = nbdPath;
    this.ended = ended;
    void ended.then(() => (this.#alive = false));
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** `name` is unique in the run directory. In a host's network it opens disks on NFS servers. */
  static async start(directory: RunDirectory, name: string, network?: HostNetwork): Promise<StorageDaemon> {
    const nbdPath = join(directory.sockets, `${name}.nbd`);
    const qmpPath = join(directory.sockets, `${name}.qmp`);
    const server = createServer();
    await listen(server, qmpPath);
    const connected = new Promise<Socket>((resolve) => server.once("connection", resolve));
    // With this process its way to NFS servers ends: there it would wait for ever to write everything back.
    const signal = network === undefined ? "TERM" : "KILL";
    const [program = "", ...command] = [...(network?.command ?? []), "setpriv"];
    const child = spawn(
      program, // util-linux: the kernel sends the signal on when the parent dies
      [...command, "--pdeathsig", signal, "--", "qemu-storage-daemon"].concat(
        ["--nbd-server", `addr.type=unix,addr.path=${nbdPath},max-connections=0`],
        ["--chardev", `socket,id=qmp,path=${qmpPath},server=off`],
        ["--monitor", "chardev=qmp"],
        ["--pidfile", directory.pidFile(name)],
      ),
      { stdio: ["ignore", "ignore", "pipe"], detached: true }, // Ctrl-C is for the lab, which then shuts it down
    );
    const stderr: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
    const ended = new Promise<void>((resolve) => {
      child.once("close", () => resolve());
      child.once("error", () => resolve());
    });
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (cause) => reject(cannotStart(String(cause), cause)));
      child.once("close", () => reject(cannotStart(stderr.join("").trim(), undefined)));
    });
    failed.catch(() => undefined); // not awaited after a successful start
    try {
      const qmp = await Promise.race([connected.then((socket) => QmpClient.open(socket)), failed]);
      const pid = child.pid;
      if (pid === undefined) throw cannotStart("no process id", undefined);
      return new StorageDaemon(child, pid, qmp, nbdPath, ended, network !== undefined);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      server.close();
    }
  }

  /** Writes everything back, bitmaps too, and ends. One that waits for an NFS server is killed after a while. */
  async quit(): Promise<void> {
    const kill = (): void => void this.#child.kill("SIGKILL");
    const patience = this.seesNfs ? setTimeout(kill, NFS_PATIENCE_MS) : undefined;
    await this.qmp.execute("quit").catch(() => undefined); // it may end before it answers
    await this.ended;
    clearTimeout(patience);
    this.qmp.close();
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
    this.qmp.close();
  }
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path);
  await once(server, "listening");
}

function cannotStart(reason: string, cause: unknown): HypervisorError {
  return new HypervisorError(`qemu-storage-daemon did not start: ${reason}`, {
    cause,
    hint: "Install the packages qemu-system-common (qemu-storage-daemon), qemu-utils and util-linux.",
  });
}
