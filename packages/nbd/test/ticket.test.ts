import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { NbdClient, NbdServer, type NbdAddress, type NbdTicket } from "../src/index.ts";
import { MemoryExport } from "./memory-export.ts";

const { signal } = new AbortController();
const ticket = { proof: randomBytes(32), answer: randomBytes(32) };
const content = randomBytes(4096);

/** A server behind a relay that expects `proof` and then sends `answer`. */
async function behindRelay({ proof, answer }: NbdTicket, act: (address: NbdAddress) => Promise<void>): Promise<void> {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const exports = new Map([["", new MemoryExport(Buffer.from(content))]]);
  await using _server = await NbdServer.listen({ path }, { exports });
  const relay = net.createServer((client) => {
    client.once("data", (first) => {
      if (!first.equals(proof)) {
        client.destroy();
        return;
      }
      client.write(answer);
      const inner = net.connect({ path });
      client.pipe(inner).pipe(client);
      client.on("error", () => inner.destroy());
    });
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const { port } = relay.address() as net.AddressInfo;
  try {
    await act({ host: "127.0.0.1", port });
  } finally {
    await relay[Symbol.asyncDispose]();
  }
}

const connect = (address: NbdAddress): Promise<NbdClient> =>
  NbdClient.connect({ address, exportName: "", ticket, signal });

test("a client that proves itself to a relay speaks with the server behind it", async () => {
  await behindRelay(ticket, async (address) => {
    await using client = await connect(address);
    const seen = Buffer.alloc(content.length);
    await client.readInto(0, seen, signal);
    expect(seen.equals(content)).toBe(true);
  });
});

test("a client reads nothing from a server that does not know its ticket", async () => {
  await behindRelay({ ...ticket, answer: randomBytes(32) }, async (address) => {
    await expect(connect(address)).rejects.toMatchObject({ code: "E_NBD_HANDSHAKE", retry: "never" });
  });
});

test("a relay that refuses the ticket hangs up", async () => {
  await behindRelay({ ...ticket, proof: randomBytes(32) }, async (address) => {
    await expect(connect(address)).rejects.toMatchObject({ code: "E_NBD_CONNECTION" });
  });
});

test("neither half of a ticket is in the error", async () => {
  await behindRelay({ ...ticket, answer: randomBytes(32) }, async (address) => {
    const error: unknown = await connect(address).catch((reason: unknown) => reason);
    const text = JSON.stringify([String(error), error]);
    for (const half of [ticket.proof, ticket.answer]) {
      expect(text).not.toContain(half.toString("hex"));
      expect(text).not.toContain(JSON.stringify(half));
    }
  });
});
