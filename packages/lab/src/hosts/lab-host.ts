import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";

import { processesWith, signalProcess } from "../processes.ts";
import { freePort, isFree } from "./free-port.ts";
import type { HostSshSettings } from "./host-request.ts";
import { hostPath } from "./host-path.ts";
import { runDirectoriesOf } from "./run-directories.ts";
import { SshDaemon } from "./ssh-daemon.ts";
import { keepKey, makeKey, type SshKeyType } from "./ssh-key.ts";
import { sshdConfiguration } from "./sshd-configuration.ts";

/** In the environment of all that runs on a host: its directory. */
const MARK = "OVAULT_LAB_HOST";

export interface LabHostOptions {
  /** Holds its keys and settings, also over restarts of the lab. */
  readonly directory: string;
  /** Of its last start. */
  readonly port: number | undefined;
  /** The key that the engine has on record first. */
  readonly keyTypes: readonly SshKeyType[];
  /** File of the public keys that may log in. */
  readonly authorizedKeys: string;
  readonly settings: HostSshSettings;
}

/**
 * A host of the lab: an OpenSSH server on the loopback interface, with keys of its own, that lets in the user of the
 * lab. What runs on it are processes of this machine.
 */
export class LabHost {
  readonly directory: string;
  readonly port: number;
  readonly #options: LabHostOptions;
  #daemon: SshDaemon;

  private constructor(options: LabHostOptions, port: number, daemon: SshDaemon) {
    this.#options = options;
    this.directory = options.directory;
    this.port = port;
    this.#daemon = daemon;
  }

  /** Starts it; ends what a killed lab left running on it. */
  static async open(options: LabHostOptions): Promise<LabHost> {
    const { directory, keyTypes } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await cutPower(directory);
    await Promise.all(keyTypes.map((type) => keepKey(keyFile(directory, type), type)));
    for (let last = options.port; ; last = undefined) {
      const port = last !== undefined && (await isFree(last)) ? last : await freePort();
      try {
        return new LabHost(options, port, await startDaemon(options, port));
      } catch (error) {
        if (await isFree(port)) throw error; // else another server was quicker
      }
    }
  }

  /** Programs here go before those of the machine. */
  get tools(): string {
    return join(this.directory, "bin");
  }

  get user(): string {
    return userInfo().username;
  }

  get runs(): boolean {
    return this.#daemon.runs;
  }

  /** The key that the engine records, as in a `.pub` file, without a comment. */
  async publicKey(): Promise<string> {
    const [type = "ed25519"] = this.#options.keyTypes;
    const [algorithm, key] = (await readFile(`${keyFile(this.directory, type)}.pub`, "utf8")).split(" ");
    return `${algorithm} ${key}`.trim();
  }

  /** Command lines of what runs on it now. */
  async processes(): Promise<readonly string[]> {
    return [...(await processesWith(MARK, this.directory)).values()];
  }

  /** Ends its sshd, all connections and all that runs on it, as a power cut would. Idempotent. */
  async stop(): Promise<void> {
    await cutPower(this.directory, () => this.#daemon.kill());
  }

  async start(): Promise<void> {
    if (!this.runs) this.#daemon = await startDaemon(this.#options, this.port);
  }

  /** Its connections stall, without an end, until `resume`. */
  async suspend(): Promise<void> {
    await this.#daemon.suspend();
  }

  async resume(): Promise<void> {
    await this.#daemon.resume();
  }

  /** Gives it other keys, as a new installation would; ends all connections. */
  async renewKeys(): Promise<void> {
    await this.stop();
    for (const type of this.#options.keyTypes) await makeKey(keyFile(this.directory, type), type);
    await this.start();
  }
}

async function startDaemon(options: LabHostOptions, port: number): Promise<SshDaemon> {
  const { directory, keyTypes, authorizedKeys, settings } = options;
  const { config = [], noise, hiddenTools = [], environment = {} } = settings;
  const home = join(directory, "home");
  await mkdir(home, { recursive: true, mode: 0o700 });
  const noisy = noise === undefined ? "" : `printf '%s\\n' '${noise.replaceAll("'", "'\\''")}'\n`;
  await writeFile(join(home, ".bashrc"), noisy, { mode: 0o600 });
  const configuration = join(directory, "sshd_config");
  const text = sshdConfiguration({
    port,
    user: userInfo().username,
    hostKeys: keyTypes.map((type) => keyFile(directory, type)),
    authorizedKeys,
    config,
    environment: {
      [MARK]: directory,
      PATH: await hostPath(directory, hiddenTools),
      HOME: home,
      ...environment,
    },
  });
  await writeFile(configuration, text, { mode: 0o600 });
  return SshDaemon.start({ configuration, port, log: join(directory, "sshd.log") });
}

function keyFile(directory: string, type: SshKeyType): string {
  return join(directory, `host-${type}`);
}

/** Ends all that runs on a host, also what stands still, and empties its /run, which the host has from this machine. */
async function cutPower(directory: string, first?: () => Promise<void>): Promise<void> {
  const running = new Set((await processesWith(MARK, directory)).keys());
  const directories = await runDirectoriesOf(running);
  await first?.();
  for (const pid of (await processesWith(MARK, directory)).keys()) signalProcess(pid, "SIGKILL");
  for (const one of directories) await rm(one, { recursive: true, force: true });
}
