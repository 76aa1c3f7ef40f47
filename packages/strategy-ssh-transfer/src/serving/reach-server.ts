import { messageOf, type JsonObject, type RunLedger } from "@ovault/contract";
import { NbdClient, type NbdConnectOptions } from "@ovault/nbd";
import { openTunnel } from "@ovault/ssh";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { openNetcat, unreachable } from "../netcat/netcat.ts";
import type { NetcatOptions } from "../netcat/netcat-options.ts";
import { CONTEXTS } from "./allocation-runs.ts";
import { HostProcess } from "./host-process.ts";

/** Connections to an NBD server on a host. */
export interface ReachedServer {
  /** For people: what carries the data. */
  readonly carrier: string;
  readonly clients: readonly [NbdClient, ...NbdClient[]];
  /** Ends the connections, and what carries them. Never rejects. */
  close(): Promise<void>;
}

export interface ReachingSite {
  /** For people: the disk. */
  readonly title: string;
  /** For the ledger: the ids of the machine and the disk. */
  readonly detail: JsonObject;
  readonly ledger: RunLedger;
  /** Through SSH. */
  readonly connections: number;
  /** Absent: the data goes through SSH. */
  readonly netcat?: NetcatUse | undefined;
}

export interface NetcatUse {
  readonly options: NetcatOptions;
  /** Receives, for people, why the data goes through SSH after all. */
  readonly onFailure: (why: string) => void;
}

/** Connects to a unix socket of a host: through a port for netcat where the site has it and it works, else through SSH. */
export async function reachServer(
  hypervisor: Hypervisor,
  socket: string,
  site: ReachingSite,
  signal: AbortSignal,
): Promise<ReachedServer> {
  const { netcat } = site;
  if (netcat !== undefined) {
    try {
      return await throughNetcat(hypervisor, socket, { ...site, netcat }, signal);
    } catch (error) {
      signal.throwIfAborted();
      netcat.onFailure(`${messageOf(error)}; the data of ${site.title} goes through SSH`);
    }
  }
  return await throughSsh(hypervisor, socket, site, signal);
}

async function throughNetcat(
  hypervisor: Hypervisor,
  socket: string,
  { title, detail, ledger, netcat }: ReachingSite & { readonly netcat: NetcatUse },
  signal: AbortSignal,
): Promise<ReachedServer> {
  const { options } = netcat;
  const port = await openNetcat(
    {
      hypervisor,
      options,
      service: socket,
      start: (program) =>
        HostProcess.start(hypervisor, { title: `port for ${title}`, ledger, detail, ...program }, signal),
    },
    signal,
  );
  try {
    const client = await connect(port, signal).catch((error: unknown) => {
      throw unreachable(hypervisor, port, error);
    });
    return served("netcat", [client], port);
  } catch (error) {
    await port.close();
    throw error;
  }
}

/** qemu-nbd may allow fewer connections than requested. */
async function throughSsh(
  hypervisor: Hypervisor,
  socket: string,
  { connections }: ReachingSite,
  signal: AbortSignal,
): Promise<ReachedServer> {
  const tunnel = await openTunnel(hypervisor.session, socket, { signal });
  try {
    const first = await connect(tunnel, signal);
    const more = await Promise.allSettled(Array.from({ length: connections - 1 }, () => connect(tunnel, signal)));
    const others = more.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    return served(tunnel.carrier, [first, ...others], tunnel);
  } catch (error) {
    await tunnel.close();
    throw error;
  }
}

function connect(
  { address, ticket }: Pick<NbdConnectOptions, "address" | "ticket">,
  signal: AbortSignal,
): Promise<NbdClient> {
  return NbdClient.connect({
    address,
    exportName: "",
    contexts: CONTEXTS,
    signal,
    ...(ticket !== undefined && { ticket }),
  });
}

function served(carrier: string, clients: ReachedServer["clients"], road: { close(): Promise<void> }): ReachedServer {
  const close = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.close()));
    await road.close();
  };
  return { carrier, clients, close };
}
