import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

import { unlessAborted } from "@ovault/contract";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { MAKE_DIRECTORY } from "../hosts/host-directory.ts";
import { addressOf, openNetcat, unreachable, type Netcat } from "./netcat.ts";
import type { NetcatOptions } from "./netcat-options.ts";

const PROOF_MS = 10_000;

/**
 * Opens a port that leads nowhere, goes through it, and closes it.
 * @param name of a directory on the host, for this time only
 * @returns its address, for people
 * @throws NetcatError when the host opens none, or this machine does not get through
 */
export async function proveNetcat(
  hypervisor: Hypervisor,
  { name, options }: { readonly name: string; readonly options: NetcatOptions },
  signal: AbortSignal,
): Promise<string> {
  const netcat = await openNetcat(
    {
      hypervisor,
      options,
      service: "",
      start: ({ script, args, input }) => hypervisor.start(MAKE_DIRECTORY + script, [name, ...args], { signal, input }),
    },
    signal,
  );
  const deadline = AbortSignal.timeout(PROOF_MS);
  try {
    await passThrough(netcat, AbortSignal.any([signal, deadline]));
    return addressOf(netcat);
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(hypervisor, netcat, deadline.aborted ? `no answer within ${PROOF_MS / 1_000} s` : error);
  } finally {
    await netcat.close();
  }
}

async function passThrough({ address, ticket }: Netcat, signal: AbortSignal): Promise<void> {
  const socket = connect(address);
  try {
    const pieces: Buffer[] = [];
    socket.on("data", (piece) => pieces.push(piece));
    socket.write(ticket.proof);
    await unlessAborted(once(socket, "end"), signal);
    const answer = Buffer.concat(pieces);
    if (answer.length !== ticket.answer.length || !timingSafeEqual(answer, ticket.answer)) {
      throw new Error("something else answers there");
    }
  } finally {
    socket.destroy();
  }
}
