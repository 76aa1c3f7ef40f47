import { chmod, chown, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

import { SshDaemon, type SshDaemonOptions } from "@ovault/lab/internal/hosts/ssh-daemon";
import { sshdConfiguration } from "@ovault/lab/internal/hosts/sshd-configuration";
import type { ServerSettings } from "@ovault/ssh";

import { run } from "./commands.ts";
import { freePort } from "./free-port.ts";
import { asSeenWithUser, OTHER_USER, type OtherLogin } from "./throw-away-user.ts";

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
  readonly #settings: SshDaemonOptions;
  #daemon: SshDaemon;
  readonly #owner: number | undefined;

  private constructor(home: string, settings: SshDaemonOptions, daemon: SshDaemon) {
    this.home = home;
    this.port = settings.port;
    this.user = settings.wrap === undefined ? userInfo().username : OTHER_USER.name;
    this.#settings = settings;
    this.#daemon = daemon;
    this.#owner = settings.wrap === undefined ? undefined : OTHER_USER.id;
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
    const login = otherUser === true ? {} : otherUser;
    await writeFile(join(home, "sshd_config"), configuration(home, port, options));
    await writeFile(join(home, "known_hosts"), await knownHosts(home, port, hostKeys));
    const settings: SshDaemonOptions = {
      configuration: join(home, "sshd_config"),
      port,
      log: join(home, "log"),
      wrap: login === false ? undefined : (command) => asSeenWithUser(home, command, login),
    };
    return new OpenSshServer(home, settings, await SshDaemon.start(settings));
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
    await this.#daemon.kill();
  }

  /** Starts the server again after `kill`, on the same port. */
  async start(): Promise<void> {
    this.#daemon = await SshDaemon.start(this.#settings);
  }

  /** From now on the server accepts and answers nothing, and no connection ends. */
  async suspend(): Promise<void> {
    await this.#daemon.suspend();
  }

  async resume(): Promise<void> {
    await this.#daemon.resume();
  }

  async stop(): Promise<void> {
    await this.#daemon.kill();
    await rm(this.home, { recursive: true });
  }
}

export async function newKey(file: string, type: HostKeyType, passphrase = ""): Promise<void> {
  await run("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", "test", "-f", file]);
}

function configuration(
  home: string,
  port: number,
  { hostKeys = DEFAULT_KEYS, config = [], sftp, otherUser = false }: ServerOptions,
): string {
  return sshdConfiguration({
    port,
    user: otherUser === false ? userInfo().username : OTHER_USER.name,
    hostKeys: hostKeys.map((type) => join(home, `host-${type}`)),
    authorizedKeys: join(home, "authorized_keys"),
    config: [...config, "PasswordAuthentication yes", "KbdInteractiveAuthentication yes"],
    // Start files of the shell of this machine's user are none of a test's business.
    environment: otherUser === false ? { HOME: home } : {},
    sftp,
  });
}

async function knownHosts(home: string, port: number, hostKeys: readonly HostKeyType[]): Promise<string> {
  const keys = await Promise.all(hostKeys.map((type) => readFile(join(home, `host-${type}.pub`), "utf8")));
  return keys.map((key) => `[127.0.0.1]:${port} ${key}`).join("");
}
