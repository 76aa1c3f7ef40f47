import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdir, open, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { HypervisorError } from "../hypervisor/errors.ts";
import { processTree, signalProcess } from "../processes.ts";
import { listensOn } from "./free-port.ts";

/** Directories of sshd besides $PATH, which seldom has them for users. */
const SYSTEM_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/ssh"];
/** sshd does not run as root without this directory, which an init system otherwise makes. */
const PRIVILEGE_SEPARATION = "/run/sshd";
const POLL_MS = 10;
const PATIENCE_MS = 10_000;
const LOG_TAIL_CHARS = 4_000;

export interface SshDaemonOptions {
  /** Path of its sshd_config, which makes it listen on `port` of 127.0.0.1. */
  readonly configuration: string;
  readonly port: number;
  /** File that gets what sshd logs, begun anew. */
  readonly log: string;
  /** Changes the command, e.g. to run it with other files in place of some of the machine's. */
  readonly wrap?: ((command: readonly string[]) => Promise<readonly string[]>) | undefined;
}

/** The path of sshd; `undefined` where it is not installed. */
export async function findSshd(): Promise<string | undefined> {
  for (const directory of [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_DIRECTORIES]) {
    const path = join(directory, "sshd");
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere && path.startsWith("/")) return path; // sshd starts itself again for each connection
  }
  return undefined;
}

/** A real sshd in the foreground. It stops listening when this process dies, for whatever reason. */
export class SshDaemon {
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
  }

  /** Resolves when it listens. @throws HypervisorError with what sshd said, when it does not start */
  static async start({ configuration, port, log, wrap }: SshDaemonOptions): Promise<SshDaemon> {
    const sshd = await findSshd();
    if (sshd === undefined) throw cannotStart("it is not installed");
    if (process.getuid?.() === 0) await mkdir(PRIVILEGE_SEPARATION, { recursive: true });
    const command = [sshd, "-D", "-e", "-f", configuration];
    const wrapped = wrap === undefined ? command : await wrap(command);
    await using output = await open(log, "w", 0o600);
    // util-linux: the kernel sends the signal when the parent dies; detached: Ctrl-C is for the parent
    const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", ...wrapped], {
      stdio: ["ignore", "ignore", output.fd],
      detached: true,
    });
    await once(child, "spawn").catch((cause: unknown) => {
      throw cannotStart(String(cause), cause);
    });
    for (const end = performance.now() + PATIENCE_MS; !(await listensOn(port)); await sleep(POLL_MS)) {
      if (child.exitCode === null && child.signalCode === null && performance.now() < end) continue;
      child.kill("SIGKILL");
      throw cannotStart((await readFile(log, "utf8")).slice(-LOG_TAIL_CHARS).trim());
    }
    if (child.pid === undefined) throw cannotStart("no process id");
    return new SshDaemon(child, child.pid);
  }

  get runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the server, all its connections and what they run, as a power cut would. Idempotent. */
  async kill(): Promise<void> {
    if (!this.runs) return;
    const exit = once(this.#child, "exit");
    for (const pid of await processTree(this.pid, "SIGSTOP")) signalProcess(pid, "SIGKILL");
    await exit;
  }

  /** From now on the server accepts and answers nothing, and no connection ends. */
  async suspend(): Promise<void> {
    await processTree(this.pid, "SIGSTOP");
  }

  async resume(): Promise<void> {
    // All of them first: the kernel may leave children out of its list while others come and go.
    for (const pid of await processTree(this.pid)) signalProcess(pid, "SIGCONT");
  }
}

function cannotStart(reason: string, cause?: unknown): HypervisorError {
  return new HypervisorError(`sshd did not start: ${reason}`, {
    cause,
    hint: "Install the packages openssh-server and util-linux.",
  });
}
