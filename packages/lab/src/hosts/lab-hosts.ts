import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { UsageError } from "@ovault/contract";

import type { HostState, Inventory } from "../engine/engine-state.ts";
import type { EngineBehaviour } from "../engine/versions.ts";
import type { LabHostRequest } from "./host-request.ts";
import { LabHost } from "./lab-host.ts";
import { findSshd } from "./ssh-daemon.ts";
import { keepKey, type SshKeyType } from "./ssh-key.ts";

const ADDRESS = "127.0.0.1";

export interface LabHostsOptions {
  /** Holds a directory for each host. */
  readonly directory: string;
  /** File of the private key that logs in to all of them; made if missing. */
  readonly loginKey: string;
  readonly inventory: Inventory;
  readonly behaviour: EngineBehaviour;
  readonly requests: readonly LabHostRequest[];
}

/** The hosts of a lab as OpenSSH servers, besides those that are there without it. */
export class LabHosts {
  readonly #hosts: ReadonlyMap<string, LabHost>;
  /** Why there are none. */
  readonly whyNone: string | undefined;

  private constructor(hosts: ReadonlyMap<string, LabHost>, whyNone: string | undefined) {
    this.#hosts = hosts;
    this.whyNone = whyNone;
  }

  /** Starts all hosts, and records in the inventory how the engine reaches them. */
  static async start(options: LabHostsOptions): Promise<LabHosts> {
    const { directory, loginKey, inventory, requests } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const own: HostState[] = [];
    for (const host of inventory.hosts) {
      const outside = requests.find(({ name }) => name === host.name)?.outside;
      if (outside === undefined) own.push(host);
      else host.ssh = outside;
    }
    if ((await findSshd()) === undefined) {
      for (const host of own) delete host.ssh;
      return new LabHosts(new Map(), "sshd is not installed (package openssh-server)");
    }
    const hosts = new Map<string, LabHost>();
    const outcomes = await Promise.allSettled([
      keepKey(loginKey, "ed25519"),
      ...own.map(async (host) => void hosts.set(host.id, await open(options, host))),
    ]);
    const started = new LabHosts(hosts, undefined);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) return started;
    await started.stop();
    throw failed.reason;
  }

  /** @throws UsageError when this machine has no sshd, or the lab runs no host of this id */
  get(id: string): LabHost {
    if (this.whyNone !== undefined) throw new UsageError(`the lab's hosts have no SSH: ${this.whyNone}`);
    const host = this.#hosts.get(id);
    if (host === undefined) throw new UsageError(`the lab does not run the host ${id}`);
    return host;
  }

  /** Directory of programs that the PATH of this host has first; `undefined` for a host that the lab does not run. */
  toolsOf(id: string): string | undefined {
    return this.#hosts.get(id)?.tools;
  }

  /** Command lines of what runs on them now. */
  async processes(): Promise<readonly string[]> {
    return (await Promise.all([...this.#hosts.values()].map((host) => host.processes()))).flat();
  }

  async stop(): Promise<void> {
    for (const host of this.#hosts.values()) await host.stop();
  }
}

async function open({ directory, loginKey, behaviour, requests }: LabHostsOptions, host: HostState): Promise<LabHost> {
  const settings = requests.find(({ name }) => name === host.name)?.ssh ?? {};
  const keyTypes: readonly SshKeyType[] = behaviour.hostPublicKey ? ["ed25519"] : ["rsa", "ed25519"];
  const opened = await LabHost.open({
    directory: join(directory, host.id),
    port: host.ssh?.port,
    keyTypes,
    authorizedKeys: `${loginKey}.pub`,
    settings,
  });
  const { port, user } = opened;
  host.ssh = { address: ADDRESS, port, user, publicKey: host.ssh?.publicKey ?? (await opened.publicKey()) };
  return opened;
}
