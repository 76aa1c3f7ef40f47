import { Connection } from "./connection.ts";
import { endpointOf, overUnixSocket, type Endpoint } from "./endpoint.ts";
import { ImageioConnectionError } from "./errors.ts";
import { readOptions, type ImageioAbilities } from "./read-options.ts";

export interface ReachOptions {
  readonly transferUrl: string;
  /** Used when the host cannot be reached directly. */
  readonly proxyUrl?: string;
  /** PEM certificates: the engine's internal CA for hosts, and the CA of the engine's web server for the proxy. */
  readonly ca?: readonly string[];
  /** Engine 4.3 and older: the credential for the proxy. */
  readonly signedTicket?: string;
  /**
   * `auto` (the default) uses the daemon's unix socket when `onHost` is true; a path is always used. The daemon offers
   * its socket to every client, also to remote ones, so its answer proves nothing.
   */
  readonly unixSocket?: "auto" | false | (string & {});
  /** This process runs on the host of the transfer; see `localHardwareId`. */
  readonly onHost?: boolean;
}

export interface Reached {
  readonly endpoint: Endpoint;
  readonly abilities: ImageioAbilities;
}

const PATIENCE = { headMs: 60_000, bodyMs: 60_000 };

/** The best reachable endpoint of a transfer: unix socket when local, else the host, else the engine's proxy. */
export async function findEndpoint(options: ReachOptions, signal: AbortSignal): Promise<Reached> {
  const direct = endpointOf(options.transferUrl, options.ca ?? []);
  if (typeof options.unixSocket === "string" && options.unixSocket !== "auto") {
    return await ask(overUnixSocket(direct, options.unixSocket), signal);
  }
  const reached = await askHostOrProxy(direct, options, signal);
  const { unixSocket } = reached.abilities;
  if (options.unixSocket === false || options.onHost !== true || unixSocket === undefined) return reached;
  try {
    return await ask(overUnixSocket(direct, unixSocket), signal);
  } catch (error) {
    if (error instanceof ImageioConnectionError) return reached;
    throw error;
  }
}

async function askHostOrProxy(direct: Endpoint, options: ReachOptions, signal: AbortSignal): Promise<Reached> {
  try {
    return await ask(direct, signal);
  } catch (error) {
    if (options.proxyUrl === undefined || !(error instanceof ImageioConnectionError)) throw error;
    return await ask(endpointOf(options.proxyUrl, options.ca ?? [], options.signedTicket), signal);
  }
}

async function ask(endpoint: Endpoint, signal: AbortSignal): Promise<Reached> {
  const connection = new Connection(endpoint, 1_000);
  try {
    const answer = await connection.exchange({ method: "OPTIONS", patience: PATIENCE }, signal);
    return { endpoint, abilities: readOptions(answer) };
  } finally {
    await connection.destroy();
  }
}
