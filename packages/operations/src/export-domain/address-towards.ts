import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";

import { messageOf } from "@ovault/contract";
import { ExportDomainError } from "@ovault/strategy-export-domain";

/** Any: nothing is sent. */
const PORT = 2049;

/**
 * The address of this machine that a host sees: the one that packets to it have as their source.
 * @throws ExportDomainError when nothing leads there
 */
export async function addressTowards(host: string): Promise<string> {
  try {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    try {
      const connected = once(socket, "connect");
      socket.connect(PORT, address);
      await connected;
      return socket.address().address;
    } finally {
      socket.close();
    }
  } catch (cause) {
    throw new ExportDomainError(
      `the address under which host ${host} sees this node is not known: ${messageOf(cause)}`,
      {
        cause,
        hint: (field) => `Pass it with ${field("address")}.`,
      },
    );
  }
}
