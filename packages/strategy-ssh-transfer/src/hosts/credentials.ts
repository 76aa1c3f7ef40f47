import { ConfigurationError, errorAt, type StrategyHost } from "@ovault/contract";
import type { Host } from "@ovault/ovirt";
import {
  checkLogin,
  serverSettings,
  sshServer,
  SshLoginError,
  type SecretsHost,
  type ServerSettings,
  type SshServer,
} from "@ovault/ssh";

import { HypervisorError } from "../errors.ts";
import { STRATEGY_NAME } from "../strategy-name.ts";
import { clusterOf, type Landscape } from "./landscape.ts";
import { unknownNames, type UnknownName } from "./unknown-names.ts";
import type { HostOptions, LoginOptions, SshTransferOptions } from "../options.ts";

/** Reads the secrets, and knows the other managers that the logins may be for. */
export type CredentialsHost = SecretsHost & Pick<StrategyHost, "otherManagers">;

/** The logins of ovault.yaml, by host. */
export class Credentials {
  readonly #options: SshTransferOptions;
  readonly #host: CredentialsHost;
  #hasWarned = false;

  constructor(options: SshTransferOptions, host: CredentialsHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Whether there is a login at all. */
  get any(): boolean {
    const { login, clusters, hosts } = this.#options;
    const own = Object.values(hosts).some(({ user }) => user !== undefined);
    return login !== undefined || Object.keys(clusters).length > 0 || own;
  }

  /**
   * Checks the files, variables and agents that the logins refer to. Runs no command that prints a secret, and asks no
   * host.
   * @throws ConfigurationError for the first that cannot be used, with its path in ovault.yaml
   */
  async check(): Promise<void> {
    const { login, clusters, hosts } = this.#options;
    const all = [
      [["login"], login ?? {}] as const,
      ...Object.entries(clusters).map(([name, one]) => [["clusters", name], one] as const),
      ...Object.entries(hosts).map(([name, one]) => [["hosts", name], one] as const),
    ];
    for (const [path, one] of all) await atPath(path, () => checkLogin(one, this.#host));
  }

  /** Names of other managers, whose hosts and clusters the options may name. */
  get otherManagers(): readonly string[] {
    return this.#host.otherManagers ?? [];
  }

  unknownNames(landscape: Landscape): readonly UnknownName[] {
    return unknownNames(this.#options, landscape);
  }

  /** For people: how to give hosts a login, where none has one; undefined where one has. */
  remedy(landscape: Landscape | undefined): string | undefined {
    if (landscape?.hosts.some((host) => this.has(host, clusterOf(host, landscape))) === true) return undefined;
    const unknown = landscape === undefined ? [] : this.unknownNames(landscape);
    const steps = unknown.map(({ path, problem }) => `${path}: ${problem}`);
    return [GIVE_LOGIN, ...steps].join(" ");
  }

  /** Warns of names that the engine does not have, once; of none where they may be those of another manager. */
  warnOfUnknownNames(landscape: Landscape, warn: (message: string) => void): void {
    if (this.#hasWarned || this.otherManagers.length > 0) return;
    this.#hasWarned = true;
    for (const { path, problem } of this.unknownNames(landscape)) warn(`${path}: ${problem}`);
  }

  /** @param cluster name of the host's cluster */
  has(host: Host, cluster: string | undefined): boolean {
    return this.#loginOf(host, cluster) !== undefined;
  }

  /**
   * Where and how to log in at a host, and which keys it may prove itself with. Reads the secrets.
   * @throws HypervisorError when there is no login for it, no address, or no key to know it by; ConfigurationError when
   * a secret cannot be used, which then holds for every host with this login
   */
  async serverOf(host: Host, cluster: string | undefined): Promise<SshServer> {
    const { login, path } = this.#loginOf(host, cluster) ?? {};
    const own = this.#ownOf(host);
    const address = own?.address ?? host.address;
    if (login === undefined) {
      throw new HypervisorError(`no credentials for host ${host.name}`, {
        context: about(host),
        hint: loginHint(host.name),
      });
    }
    if (address === undefined) {
      throw new HypervisorError(`the engine does not tell the address of host ${host.name}`, {
        context: about(host),
        hint: `Give the engine's user the right to see hosts, or set hosts: { ${host.name}: { address: … } }.`,
      });
    }
    const { hostKey, knownHosts } = { ...login, ...own };
    const options = { ...login, hostKey, knownHosts, host: address, port: own?.port ?? host.sshPort ?? 22 };
    const trusted = hostKey === undefined && knownHosts === undefined ? { trust: recordedKey(host) } : {};
    return await atPath(path, async () => {
      const settings = { ...(await serverSettings(options, this.#host)), ...trusted };
      return await sshServer(settings, this.#options.timeoutSeconds * 1_000);
    });
  }

  /** For people: what says which key the host may prove itself with. */
  keySourceOf(host: Host, cluster: string | undefined): string {
    const { hostKey, knownHosts } = { ...this.#loginOf(host, cluster)?.login, ...this.#ownOf(host) };
    if (hostKey !== undefined) return "hostKey in ovault.yaml";
    return knownHosts ?? "the engine";
  }

  #ownOf({ name }: Host): HostOptions | undefined {
    return Object.hasOwn(this.#options.hosts, name) ? this.#options.hosts[name] : undefined;
  }

  /** The most specific login. */
  #loginOf(host: Host, cluster: string | undefined): FoundLogin | undefined {
    const own = this.#ownOf(host);
    if (own?.user !== undefined) return { login: { ...own, user: own.user }, path: ["hosts", host.name] };
    const { clusters, login } = this.#options;
    const ofCluster = cluster !== undefined && Object.hasOwn(clusters, cluster) ? clusters[cluster] : undefined;
    if (cluster !== undefined && ofCluster !== undefined) return { login: ofCluster, path: ["clusters", cluster] };
    return login && { login, path: ["login"] };
  }
}

interface FoundLogin {
  readonly login: LoginOptions;
  /** Where it is written, below the options of this strategy. */
  readonly path: readonly string[];
}

const GIVE_LOGIN = `Give hosts a login in ovault.yaml: strategies: { ${STRATEGY_NAME}: { login: { user: …, privateKey: … } } }.`;

/** For people: how to give a host a login. */
export function loginHint(name: string): string {
  const entry = `hosts: { ${JSON.stringify(name)}: { user: …, privateKey: … } }`;
  return `Give it a login in ovault.yaml, under strategies: ssh-transfer: \`login\` for all hosts, or ${entry} for it alone.`;
}

/** Names the place in ovault.yaml in the errors of a login that cannot be used from here. */
async function atPath<T>(path: readonly string[] = [], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof SshLoginError)) throw error;
    throw errorAt(["strategies", STRATEGY_NAME, ...path].join("."), error);
  }
}

/** The engine met the host when it was added, and knows its key since. @throws HypervisorError when it has none */
function recordedKey(host: Host): ServerSettings["trust"] {
  const { name, sshFingerprint: fingerprint, sshPublicKey: publicKey } = host;
  if (fingerprint === undefined && publicKey === undefined) {
    throw new HypervisorError(`the engine has no SSH key on record for host ${name}`, {
      context: about(host),
      hint: `Set hosts: { ${name}: { hostKey: SHA256:… } }, or knownHosts; \`ssh-keygen -lf\` on the host shows it.`,
    });
  }
  const renewal = `let the engine fetch it (edit host ${name}, Advanced Parameters, fetch)`;
  return { recorded: { by: `the engine's record of host ${name}`, renewal, fingerprint, publicKey } };
}

function about({ id, name }: Host): { readonly host: string; readonly hostName: string } {
  return { host: id, hostName: name };
}
