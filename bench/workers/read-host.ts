/**
 * Reads the data of a disk from a host as a backup does, and does nothing with it, as a process of its own:
 *
 *     read-host.ts HOST CARRIER CONNECTIONS
 *
 * HOST is a file with HostToRead as JSON, CARRIER one of `openTunnel`'s, or `netcat`.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import { DEFAULT_LANES } from "@ovault/core/internal/runs/default-lanes";
import { ALLOCATION, BASE_ALLOCATION, NbdClient, type NbdConnectOptions } from "@ovault/nbd";
import { openTunnel, sshServer, SshSession, type Carrier, type ServerSettings } from "@ovault/ssh";
import { openNetcat } from "@ovault/strategy-ssh-transfer/internal/netcat/netcat";
import { Hypervisor } from "@ovault/strategy-ssh-transfer/internal/hosts/hypervisor";
import { probeTools } from "@ovault/strategy-ssh-transfer/internal/hosts/host-tools";
import { MAKE_DIRECTORY } from "@ovault/strategy-ssh-transfer/internal/hosts/host-directory";
import { QEMU_NBD } from "@ovault/strategy-ssh-transfer/internal/serving/qemu-nbd";

/** A host, and a raw file of its. */
export interface HostToRead {
  readonly settings: ServerSettings;
  readonly image: string;
}

const BLOCK_BYTES = 2 ** 20;
const SECONDS = 3_600;

const [file = "", way = "", connections = "1"] = process.argv.slice(2);
const { settings, image }: HostToRead = JSON.parse(await readFile(file, "utf8"));
const { signal } = new AbortController();
const session = await SshSession.open(await sshServer(settings, 60_000), signal);
const host = { id: "host", name: "host", address: settings.host };
const none = { clusterId: undefined, sshPort: undefined, sshFingerprint: undefined, sshPublicKey: undefined };
const unknown = { status: "up", activeVms: undefined, spmStatus: undefined, version: undefined };
const hypervisor = new Hypervisor({ ...host, ...none, ...unknown }, session, await probeTools(session, signal));
const directory = (): string => `ovault-${randomUUID()}`;

const startedAt = performance.now();
const node = JSON.stringify({ driver: "raw", file: { driver: "file", filename: image } });
const serving = [directory(), String(SECONDS), image, "--read-only", `--shared=${connections}`, `json:${node}`];
const server = await hypervisor.start(MAKE_DIRECTORY + QEMU_NBD, serving, { signal });
const road = way === "netcat" ? await netcat(server.ready) : await tunnel(server.ready, way as Carrier);
const clients = await Promise.all(Array.from({ length: Number(connections) }, () => connect(road)));
const [first] = clients;
if (first === undefined) throw new RangeError("no connection");
const openedAt = performance.now();
const buffers = new BufferPool(DEFAULT_LANES, BLOCK_BYTES);
let bytesRead = 0;
const blocks = dataBlocks(first);
await Promise.all(
  Array.from({ length: DEFAULT_LANES }, (_, lane) => readLane(clients[lane % clients.length] ?? first)),
);
const seconds = (performance.now() - openedAt) / 1_000;
const opening = (openedAt - startedAt) / 1_000;
await Promise.all(clients.map((client) => client.close()));
await road.close();
await server.close();
await session.close();
const figures = { "MB/s without start-up": bytesRead / 1e6 / seconds, "s to open": opening };
process.stdout.write(`${JSON.stringify({ figures })}\n`);

type Road = Pick<NbdConnectOptions, "address" | "ticket"> & { close(): Promise<void> };

function tunnel(socket: string, carrier: Carrier): Promise<Road> {
  return openTunnel(session, socket, { signal, carriers: [carrier] });
}

function netcat(service: string): Promise<Road> {
  const options = { trustedNetwork: true, ports: { first: 20_000, last: 29_999 } } as const;
  const start = ({ script, args, input }: { script: string; args: readonly string[]; input: Uint8Array }) =>
    hypervisor.start(MAKE_DIRECTORY + script, [directory(), ...args], { signal, input });
  return openNetcat({ hypervisor, service, options, start }, signal);
}

function connect({ address, ticket }: Road): Promise<NbdClient> {
  const contexts = [BASE_ALLOCATION];
  return NbdClient.connect({ address, exportName: "", contexts, signal, ...(ticket !== undefined && { ticket }) });
}

/** The blocks that hold data, each once. */
async function* dataBlocks(client: NbdClient): AsyncGenerator<number> {
  let next = 0;
  for await (const { offset, length, flags } of client.allocation(BASE_ALLOCATION, signal)) {
    if ((flags & ALLOCATION.zero) !== 0) continue;
    next = Math.max(next, offset - (offset % BLOCK_BYTES));
    for (; next < offset + length; next += BLOCK_BYTES) yield next;
  }
}

/** Takes the next block until there is none, like a lane of the pipeline. */
async function readLane(client: NbdClient): Promise<void> {
  for (let next = await blocks.next(); next.done !== true; next = await blocks.next()) {
    const offset = next.value;
    const length = Math.min(BLOCK_BYTES, client.logicalBytes - offset);
    await buffers.lend((buffer) => client.readInto(offset, buffer.subarray(0, length), signal));
    bytesRead += length;
  }
}
