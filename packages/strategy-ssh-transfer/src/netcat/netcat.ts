import { randomBytes } from "node:crypto";

import { messageOf } from "@ovault/contract";
import type { NbdTicket } from "@ovault/nbd";

import { NetcatError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import type { NetcatOptions } from "./netcat-options.ts";
import { RELAY, START_RELAY, TICKET_BYTES } from "./relay-script.ts";

/** For the client to connect. */
const CLIENT_SECONDS = 60;
const READY = /^(\d{1,5}) (\S+)$/;

/** A TCP port of a host that leads to a unix socket there, for one connection. */
export interface Netcat {
  readonly address: { readonly host: string; readonly port: number };
  /** What the connection begins with. */
  readonly ticket: NbdTicket;
  /** Closes port and connection. Never rejects. */
  close(): Promise<void>;
}

/** A script for a host, with a directory of its own, and its standard input. */
export interface RelayProgram {
  readonly script: string;
  readonly args: readonly string[];
  /** Secret. */
  readonly input: Uint8Array;
}

export interface NetcatWish {
  readonly hypervisor: Hypervisor;
  /** The unix socket; empty: the port only answers the proof. */
  readonly service: string;
  readonly options: NetcatOptions;
  readonly start: (program: RelayProgram) => Promise<{ readonly ready: string; close(): Promise<void> }>;
}

/** Opens a port. @throws NetcatError when there is no free port, no address in the network, or no Python */
export async function openNetcat(wish: NetcatWish, signal: AbortSignal): Promise<Netcat> {
  const { service, options, hypervisor, start } = wish;
  const { network = "", ports } = options;
  const ticket = { proof: randomBytes(TICKET_BYTES.proof), answer: randomBytes(TICKET_BYTES.answer) };
  const args = [RELAY, network, ports.first, ports.last, service, CLIENT_SECONDS].map(String);
  const input = Buffer.concat([ticket.proof, ticket.answer]);
  try {
    const relay = await start({ script: START_RELAY, args, input });
    const [, port, own] = READY.exec(relay.ready) ?? [];
    if (port === undefined || own === undefined) {
      await relay.close();
      throw new Error("it does not say which");
    }
    // Where SSH reaches the host through another address than the host's own, so does netcat.
    const host = network === "" ? hypervisor.session.server.host : own;
    return { address: { host, port: Number(port) }, ticket, close: () => relay.close() };
  } catch (error) {
    signal.throwIfAborted();
    const { id, name } = hypervisor.host;
    throw new NetcatError(`host ${name} opens no port for netcat: ${messageOf(error)}`, {
      cause: error,
      context: { host: id, hostName: name, network, firstPort: ports.first, lastPort: ports.last },
      hint: "The host needs Python, a free port of `ports`, and an address in `network`, where `netcat` in ovault.yaml has one.",
    });
  }
}

/** The host has opened the port, and this machine does not get through. */
export function unreachable({ host }: Hypervisor, netcat: Netcat, why: unknown): NetcatError {
  const where = addressOf(netcat);
  return new NetcatError(
    `host ${host.name} has opened ${where} for netcat, which cannot be reached from here: ${typeof why === "string" ? why : messageOf(why)}`,
    {
      cause: why,
      context: { host: host.id, hostName: host.name, address: where },
      hint: "A firewall on the host or before it must let the `ports` of `netcat` through.",
    },
  );
}

/** For people. */
export function addressOf({ address: { host, port } }: Netcat): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
