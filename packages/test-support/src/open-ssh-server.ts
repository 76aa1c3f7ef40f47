import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

import type { ServerSettings } from "@ovault/ssh";

import { run } from "./commands.ts";
import { freePort, listensOn } from "./free-port.ts";
import { asSeenWithUser, OTHER_USER, type OtherLogin } from "./throw-away-user.ts";
import { until } from "./until.ts";

const SSHD = "/usr/sbin/sshd";

export type HostKeyType = "ed25519" | "ecdsa" | "rsa";

const DEFAULT_KEYS: readonly HostKeyType[] = ["ed25519"];

export interface ServerOptions {
  /** Additional lines of sshd_config. */
  readonly config?: readonly string[];
  /** The command that serves SFTP. */
  readonly sftp?: string;
  readonly hostKeys?: readonly HostKeyType[];
  /** Admits OTHER_USER instead of the user who runs the tests. */
  readonly otherUser?: boolean | OtherLogin;
}

/** A real sshd on the loopback interface with its own keys and configuration; touches no account of the machine. */
export class OpenSshServer {
  readonly port: number;
  readonly user: string;
  /** Holds its files: `host-TYPE`, `host-TYPE.pub`, `user`, `user.pub`, `known_hosts`. */
  readonly home: string;
  readonly #command: readonly string[];
  #daemon: ChildProcess;
  readonly #owner: number | undefined;

  private constructor(
    home: string,
    port: number,
    { command, daemon, otherUser }: { command: readonly string[]; daemon: ChildProcess; otherUser: boolean },
  ) {
    this.home = home;
    this.port = port;
    this.user = otherUser ? OTHER_USER.name : userInfo().username;
    this.#command = command;
    this.#daemon = daemon;
    this.#owner = otherUser ? OTHER_USER.id : undefined;
  }

  static async start(options: ServerOptions = {}): Promise<OpenSshServer> {
    const home = await mkdtemp(join(tmpdir(), "ovault-sshd-"));
    try {
      await chmod(home, 0o711);
      return await OpenSshServer.#startIn(home, options);
    } catch (error) {
      await rm(home, { recursive: true });
      throw error;
    }
  }

  static async #startIn(home: string, options: ServerOptions): Promise<OpenSshServer> {
    const { hostKeys = DEFAULT_KEYS, otherUser = false } = options;
    for (const type of hostKeys) await newKey(join(home, `host-${type}`), type);
    await newKey(join(home, "user"), "ed25519");
    await copyFile(join(home, "user.pub"), join(home, "authorized_keys"));
    const port = await freePort();
    await writeFile(join(home, "sshd_config"), configuration(home, port, options));
    await writeFile(join(home, "known_hosts"), await knownHosts(home, port, hostKeys));
    const sshd = [SSHD, "-D", "-e", "-f", join(home, "sshd_config")];
    const login = otherUser === true ? {} : otherUser;
    const command = login === false ? sshd : await asSeenWithUser(home, sshd, login);
    const daemon = await startDaemon(command, port);
    return new OpenSshServer(home, port, { command, daemon, otherUser: login !== false });
  }

  /** An empty directory that belongs to the user of the server. */
  async newDirectory(): Promise<string> {
    const directory = await mkdtemp(join(this.home, "served-"));
    if (this.#owner !== undefined) await chown(directory, this.#owner, this.#owner);
    return directory;
  }

  /** Fingerprint of a host key, as ssh-keygen prints it. */
  async fingerprint(type: HostKeyType = "ed25519"): Promise<string> {
    const [, fingerprint = ""] = (await run("ssh-keygen", ["-lf", join(this.home, `host-${type}.pub`)])).split(" ");
    return fingerprint;
  }

  async settings(): Promise<ServerSettings> {
    return {
      host: "127.0.0.1",
      port: this.port,
      user: this.user,
      authentication: { by: "key", key: await readFile(join(this.home, "user"), "utf8") },
      trust: { knownHosts: join(this.home, "known_hosts") },
    };
  }

  /** Kills the server and all its connections, as a power cut would. */
  async kill(): Promise<void> {
    const exit = once(this.#daemon, "exit");
    await this.#signalAll("SIGKILL");
    await exit;
  }

  /** Starts the server again after `kill`, on the same port. */
  async start(): Promise<void> {
    this.#daemon = await startDaemon(this.#command, this.port);
  }

  /** From now on the server accepts and answers nothing, and no connection ends. */
  async suspend(): Promise<void> {
    await this.#signalAll("SIGSTOP");
  }

  async resume(): Promise<void> {
    await this.#signalAll("SIGCONT");
  }

  /** Signals the daemon first, so that it makes no more children. */
  async #signalAll(signal: NodeJS.Signals): Promise<void> {
    const waiting = [this.#daemon.pid];
    for (const pid of waiting) {
      if (pid === undefined) continue;
      try {
        waiting.push(...(await childrenOf(pid)));
        process.kill(pid, signal);
      } catch (error) {
        // Children come and go.
        if (pid === this.#daemon.pid) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) {
      this.#daemon.kill();
      await once(this.#daemon, "exit");
    }
    await rm(this.home, { recursive: true });
  }
}

export async function newKey(file: string, type: HostKeyType, passphrase = ""): Promise<void> {
  await run("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", "test", "-f", file]);
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").filter(Boolean).map(Number);
}

async function startDaemon([program = "", ...args]: readonly string[], port: number): Promise<ChildProcess> {
  // Run as root, sshd needs this directory, which systemd otherwise makes.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const daemon = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  daemon.stderr.on("data", (text) => (said = `${said}${text}`.slice(-4000)));
  await until("sshd listens", async () => {
    if (daemon.exitCode !== null) throw new Error(`sshd did not start: ${said}`);
    return await listensOn(port);
  });
  return daemon;
}

function configuration(
  home: string,
  port: number,
  { hostKeys = DEFAULT_KEYS, config = [], sftp = "internal-sftp" }: ServerOptions,
): string {
  return [
    ...config,
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    ...hostKeys.map((type) => `HostKey ${join(home, `host-${type}`)}`),
    `AuthorizedKeysFile ${join(home, "authorized_keys")}`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "MaxStartups 100",
    `Subsystem sftp ${sftp}`,
    "",
  ].join("\n");
}

async function knownHosts(home: string, port: number, hostKeys: readonly HostKeyType[]): Promise<string> {
  const keys = await Promise.all(hostKeys.map((type) => readFile(join(home, `host-${type}.pub`), "utf8")));
  return keys.map((key) => `[127.0.0.1]:${port} ${key}`).join("");
}
