import type { Host } from "@ovault/ovirt";
import { serverSettings, sshServer, type SecretsHost, type ServerSettings, type SshServer } from "@ovault/ssh";

import { HypervisorError } from "../errors.ts";
import type { HostOptions, LoginOptions, SshTransferOptions } from "../options.ts";

/** The logins of ovault.yaml, by host. */
export class Credentials {
  readonly #options: SshTransferOptions;
  readonly #host: SecretsHost;

  constructor(options: SshTransferOptions, host: SecretsHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Whether there is a login at all. */
  get any(): boolean {
    const { login, clusters, hosts } = this.#options;
    const own = Object.values(hosts).some(({ user }) => user !== undefined);
    return login !== undefined || Object.keys(clusters).length > 0 || own;
  }

  /** @param cluster name of the host's cluster */
  has(host: Host, cluster: string | undefined): boolean {
    return this.#loginOf(host, cluster) !== undefined;
  }

  /**
   * Where and how to log in at a host, and which keys it may prove itself with. Reads the secrets.
   * @throws HypervisorError when there is no login for it, no address, or no key to know it by
   */
  async serverOf(host: Host, cluster: string | undefined): Promise<SshServer> {
    const login = this.#loginOf(host, cluster);
    const own = this.#ownOf(host);
    const address = own?.address ?? host.address;
    if (login === undefined)
      throw new HypervisorError(`no credentials for host ${host.name}`, { context: about(host) });
    if (address === undefined) {
      throw new HypervisorError(`the engine does not tell the address of host ${host.name}`, {
        context: about(host),
        hint: `Give the engine's user the right to see hosts, or set hosts: { ${host.name}: { address: … } }.`,
      });
    }
    const { hostKey, knownHosts } = { ...login, ...own };
    const options = { ...login, hostKey, knownHosts, host: address, port: own?.port ?? host.sshPort ?? 22 };
    const settings = await serverSettings(options, this.#host);
    const trust = hostKey === undefined && knownHosts === undefined ? recordedKey(host) : settings.trust;
    return await sshServer({ ...settings, trust }, this.#options.timeoutSeconds * 1_000);
  }

  /** For people: what says which key the host may prove itself with. */
  keySourceOf(host: Host, cluster: string | undefined): string {
    const { hostKey, knownHosts } = { ...this.#loginOf(host, cluster), ...this.#ownOf(host) };
    if (hostKey !== undefined) return "hostKey in ovault.yaml";
    return knownHosts ?? "the engine";
  }

  #ownOf({ name }: Host): HostOptions | undefined {
    return Object.hasOwn(this.#options.hosts, name) ? this.#options.hosts[name] : undefined;
  }

  /** The most specific login. */
  #loginOf(host: Host, cluster: string | undefined): LoginOptions | undefined {
    const own = this.#ownOf(host);
    if (own?.user !== undefined) return { ...own, user: own.user };
    const { clusters, login } = this.#options;
    return cluster !== undefined && Object.hasOwn(clusters, cluster) ? clusters[cluster] : login;
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
  return { recorded: { by: `the engine's record of host ${name}`, fingerprint, publicKey } };
}

function about({ id, name }: Host): { readonly host: string; readonly hostName: string } {
  return { host: id, hostName: name };
}
