import { ConfigurationError, messageOf, OvaultError } from "@ovault/contract";
import type { Host } from "@ovault/ovirt";
import { HostKeyError, SshSession } from "@ovault/ssh";

import { HypervisorError, HypervisorKeyError } from "../errors.ts";
import type { Credentials } from "./credentials.ts";
import { probeTools } from "./host-tools.ts";
import { Hypervisor } from "./hypervisor.ts";
import { clusterOf, type Landscape } from "./landscape.ts";

/** The hosts that one run, or one clean-up, is logged in at: each once, until `close`. */
export class Hypervisors {
  readonly #landscape: Landscape;
  readonly #credentials: Credentials;
  readonly #open = new Map<string, Promise<Hypervisor>>();

  constructor(landscape: Landscape, credentials: Credentials) {
    this.#landscape = landscape;
    this.#credentials = credentials;
  }

  /**
   * Callers share the attempt of the first one, with its signal; a failed one is repeated by the next call.
   * @throws HypervisorError, transient when the host may answer later; HypervisorKeyError when its key is not the known
   * one; ConfigurationError
   */
  async open(hostId: string, signal: AbortSignal): Promise<Hypervisor> {
    const opening = this.#open.get(hostId) ?? this.#logIn(hostId, signal);
    this.#open.set(hostId, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#open.get(hostId) === opening) this.#open.delete(hostId);
      throw error;
    }
  }

  /** Logs out everywhere. Never throws. */
  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of await Promise.allSettled(open)) {
      if (one.status === "fulfilled") await one.value.session.close();
    }
  }

  async #logIn(hostId: string, signal: AbortSignal): Promise<Hypervisor> {
    const host = this.#landscape.hosts.find(({ id }) => id === hostId);
    if (host === undefined) {
      throw new HypervisorError("the engine does not know this host any more", { context: { host: hostId } });
    }
    const cluster = clusterOf(host, this.#landscape);
    try {
      const session = await SshSession.open(await this.#credentials.serverOf(host, cluster), signal);
      try {
        return new Hypervisor(host, session, await probeTools(session, signal));
      } catch (error) {
        await session.close();
        throw error;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw unusable(host, error);
    }
  }
}

/** What is wrong with the configuration is wrong for other hosts too, and stays what it is. */
function unusable({ id, name }: Host, cause: unknown): OvaultError {
  if (cause instanceof HypervisorError || cause instanceof ConfigurationError) return cause;
  const Kind = cause instanceof HostKeyError ? HypervisorKeyError : HypervisorError;
  const { retry, hint, code } = cause instanceof OvaultError ? cause : {};
  return new Kind(`cannot use host ${name}: ${messageOf(cause)}`, {
    cause,
    context: { host: id, hostName: name, ...(code !== undefined && { code }) },
    ...(retry !== undefined && { retry }),
    ...(hint !== undefined && { hint }),
  });
}
