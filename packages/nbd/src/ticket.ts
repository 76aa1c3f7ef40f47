import { timingSafeEqual } from "node:crypto";

import { describeAddress, type NbdAddress } from "./address.ts";
import { NbdHandshakeError } from "./errors.ts";
import type { ReadSocket } from "./socket.ts";

/** Secrets for one connection, by which a client and a relay before the server know each other. Never log them. */
export interface NbdTicket {
  /** The first bytes that the client sends. */
  readonly proof: Uint8Array;
  /** The first bytes that the relay sends, once it has seen the proof. The NBD protocol follows. */
  readonly answer: Uint8Array;
}

/** @throws NbdHandshakeError when something else answers; NbdConnectionError when it refuses the ticket */
export async function presentTicket(
  { socket, reader }: ReadSocket,
  address: NbdAddress,
  { proof, answer }: NbdTicket,
): Promise<void> {
  socket.write(proof);
  if (timingSafeEqual(await reader.bytes(answer.length), answer)) return;
  throw new NbdHandshakeError(`what listens at ${describeAddress(address)} does not know the ticket of this client`, {
    hint: "Something else answers there: another program, or another machine.",
  });
}
