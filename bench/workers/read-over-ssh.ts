/**
 * Reads a disk that a server behind SSH serves by NBD, and does nothing with it, as a process of its own:
 *
 *     read-over-ssh.ts READER WAY SOCKET HOME PORT USER
 *
 * READER is `nbdcopy`, or `client`: ours, with four connections. WAY is a carrier of a tunnel, or `direct`. HOME has the
 * files of the server in test-support.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { NbdClient } from "@ovault/nbd";
import { type Carrier, openTunnel, sshServer, SshSession } from "@ovault/ssh";

const CONNECTIONS = 4;
/** Reads at once on each connection, and their length, as in a backup. */
const LANES = 2;
const BLOCK_BYTES = 2 ** 20;

const [reader, way = "", socket = "", home = "", port = "0", user = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const { path, close } = way === "direct" ? { path: socket, close: async () => undefined } : await reach();
const startedAt = performance.now();
const bytes = reader === "nbdcopy" ? await copy() : await read();
const seconds = (performance.now() - startedAt) / 1_000;
await close();
process.stdout.write(`${JSON.stringify({ figures: { "MB/s without start-up": bytes / 1e6 / seconds } })}\n`);

async function reach(): Promise<{ readonly path: string; readonly close: () => Promise<void> }> {
  const settings = {
    host: "127.0.0.1",
    port: Number(port),
    user,
    authentication: { by: "key", key: await readFile(join(home, "user"), "utf8") },
    trust: { knownHosts: join(home, "known_hosts") },
  } as const;
  const session = await SshSession.open(await sshServer(settings, 30_000), signal);
  const tunnel = await openTunnel(session, socket, { signal, carriers: [way as Carrier] });
  return {
    path: tunnel.address.path,
    close: async () => {
      await tunnel.close();
      await session.close();
    },
  };
}

async function copy(): Promise<number> {
  const size = await connect();
  await size.close();
  const [code] = await once(
    spawn("nbdcopy", ["--no-extents", `nbd+unix:///?socket=${path}`, "null:"], { stdio: "inherit" }),
    "exit",
  );
  if (code !== 0) throw new Error(`nbdcopy ended with ${String(code)}`);
  return size.logicalBytes;
}

async function read(): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  const size = clients[0]?.logicalBytes ?? 0;
  const offsets = blocks(size);
  await Promise.all(clients.flatMap((client) => Array.from({ length: LANES }, () => lane(client, offsets, size))));
  await Promise.all(clients.map((client) => client.close()));
  return size;
}

async function lane(client: NbdClient, offsets: Iterator<number>, size: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let next = offsets.next(); next.done !== true; next = offsets.next()) {
    await client.readInto(next.value, buffer.subarray(0, Math.min(BLOCK_BYTES, size - next.value)), signal);
  }
}

function* blocks(size: number): Generator<number> {
  for (let at = 0; at < size; at += BLOCK_BYTES) yield at;
}

function connect(): Promise<NbdClient> {
  return NbdClient.connect({ address: { path }, exportName: "", signal });
}
