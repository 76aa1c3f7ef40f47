import { randomInt } from "node:crypto";
import { createServer, connect, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { findNfsPorts, type NfsPorts } from "@ovault/nfs";

import type { NfsPlace } from "./nfs-client.ts";
import { NfsFailure } from "./nfs-failure.ts";
import {
  actAs,
  AUTH_SYS,
  opaque,
  readCall,
  readOpaque,
  RecordSplitter,
  resultsOf,
  words,
  writeCall,
  writeRecord,
  writeReply,
  type RpcCall,
} from "./rpc-message.ts";

const [NFS_PROGRAM, MOUNT_PROGRAM] = [100_003, 100_005];
const VDSM = 36;
const MNT = 1;
const LOOKUP = 3;
/** As `ftype3` has it. */
const REGULAR_FILE = 1;
const OK = 0;
const JUKEBOX = 10_008;
/** As `mountstat3` has it: no such directory. */
const NO_ENTRY = 2;
const RETRY_MS = 100;
/** A mount does not wait for a server for ever. */
const MOUNT_MS = 10_000;

/**
 * The way of QEMU's NFS driver to a server, on a unix socket. What a kernel's client does and libnfs does not, this does:
 * calls wait while the server is gone and are sent again when it is back, and so are those that the server puts off
 * (`NFS3ERR_JUKEBOX`). The driver mounts the directory of a file, which servers need not allow: such a mount is answered
 * here, with the handle that LOOKUP finds from the export down. Calls are vdsm's (36:36): a driver that is given a user
 * finds no backing files by their bare names.
 */
export class NfsLink {
  readonly #place: NfsPlace;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #closing = new AbortController();

  static async listen(place: NfsPlace, socket: string): Promise<NfsLink> {
    const link = new NfsLink(place);
    await new Promise<void>((resolve, reject) => {
      link.#server.once("error", reject);
      link.#server.listen(socket, resolve);
    });
    return link;
  }

  private constructor(place: NfsPlace) {
    this.#place = place;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** Hangs up. */
  close(): void {
    this.#closing.abort();
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }

  #serve(client: Socket): void {
    this.#clients.add(client);
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#closing.signal]);
    const upstream = new Upstream(this.#portsLater(signal), this.#place.address, signal, (reply) =>
      writeRecord(client, reply),
    );
    const splitter = new RecordSplitter();
    client.on("data", (piece) => {
      for (const record of splitter.accept(piece)) {
        actAs(record, VDSM, VDSM);
        const call = readCall(record);
        if (call.program === NFS_PROGRAM) upstream.send(call.id, record);
        else if (call.program === MOUNT_PROGRAM)
          void this.#mount(call, signal).then((reply) => writeRecord(client, reply));
      }
    });
    client.on("error", () => {}); // "close" follows
    client.on("close", () => {
      this.#clients.delete(client);
      ended.abort();
    });
  }

  async #portsLater(signal: AbortSignal): Promise<NfsPorts> {
    for (;;) {
      try {
        return await portsOf(this.#place, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  async #mount(call: RpcCall, signal: AbortSignal): Promise<Buffer> {
    if (call.procedure !== MNT) return writeReply(call.id, words(0)); // an empty list, or nothing
    try {
      const handle = await this.#find(readOpaque(call.args).toString(), call.credentials, signal);
      return writeReply(call.id, Buffer.concat([words(OK), opaque(handle), words(1, AUTH_SYS)]));
    } catch {
      return writeReply(call.id, words(NO_ENTRY));
    }
  }

  /** The handle of a directory at or below the export. */
  async #find(path: string, credentials: Buffer, signal: AbortSignal): Promise<Buffer> {
    const { address, path: root } = this.#place;
    if (path !== root && !path.startsWith(`${root}/`)) throw new NfsFailure("ENOENT", `${path} is not below ${root}`);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(MOUNT_MS)]);
    const ports = await portsOf(this.#place, bounded);
    const ask = async (port: number, program: number, procedure: number, args: Buffer): Promise<Buffer> => {
      const record = writeCall({ id: randomInt(2 ** 31), program, procedure, credentials, args });
      const results = resultsOf(await exchange({ address, port }, record, bounded));
      if (results === undefined || results.readUInt32BE(0) !== OK)
        throw new NfsFailure("ENOENT", `no directory ${path}`);
      return results.subarray(4);
    };
    let handle = readOpaque(await ask(ports.mount, MOUNT_PROGRAM, MNT, opaque(Buffer.from(root))));
    for (const name of path
      .slice(root.length)
      .split("/")
      .filter((part) => part !== "")) {
      const args = Buffer.concat([opaque(handle), opaque(Buffer.from(name))]);
      const found = await ask(ports.nfs, NFS_PROGRAM, LOOKUP, args);
      const next = readOpaque(found);
      // For a bare backing name QEMU (7.2) takes the path of the file above for that of its directory.
      const [hasType, type] = [opaque(next).length, opaque(next).length + 4].map((at) => found.readUInt32BE(at));
      if (hasType === 1 && type === REGULAR_FILE) break;
      handle = next;
    }
    return handle;
  }
}

/** Calls of one client to the server, over as many connections as it takes. */
class Upstream {
  readonly #address: string;
  readonly #signal: AbortSignal;
  readonly #answer: (reply: Buffer) => void;
  readonly #ports: Promise<NfsPorts>;
  /** Without an answer, by id. */
  readonly #pending = new Map<number, Buffer>();
  #socket: Socket | undefined;
  #isConnecting = false;

  constructor(ports: Promise<NfsPorts>, address: string, signal: AbortSignal, answer: (reply: Buffer) => void) {
    this.#ports = ports;
    ports.catch(() => {}); // the client has gone
    this.#address = address;
    this.#signal = signal;
    this.#answer = answer;
    signal.addEventListener("abort", () => this.#socket?.destroy(), { once: true });
  }

  send(id: number, record: Buffer): void {
    this.#pending.set(id, record);
    if (this.#socket !== undefined) writeRecord(this.#socket, record);
    else if (!this.#isConnecting) void this.#connect().catch(() => {});
  }

  async #connect(): Promise<void> {
    this.#isConnecting = true;
    const { nfs } = await this.#ports;
    while (!this.#signal.aborted) {
      const socket = connect(nfs, this.#address);
      const isConnected = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true));
        socket.once("close", () => resolve(false));
        socket.on("error", () => {}); // "close" follows
      });
      if (isConnected) return this.#use(socket);
      await sleep(RETRY_MS);
    }
  }

  #use(socket: Socket): void {
    this.#isConnecting = false;
    this.#socket = socket;
    const splitter = new RecordSplitter();
    socket.on("data", (piece) => {
      for (const reply of splitter.accept(piece)) this.#received(reply);
    });
    socket.once("close", () => {
      this.#socket = undefined;
      if (!this.#signal.aborted && this.#pending.size > 0) void this.#connect().catch(() => {});
    });
    if (this.#signal.aborted) socket.destroy();
    for (const record of this.#pending.values()) writeRecord(socket, record);
  }

  #resend(record: Buffer): void {
    if (this.#socket !== undefined) writeRecord(this.#socket, record);
  }

  #received(reply: Buffer): void {
    const id = reply.readUInt32BE(0);
    const record = this.#pending.get(id);
    if (record === undefined) return;
    const results = resultsOf(reply);
    if (results !== undefined && results.length >= 4 && results.readUInt32BE(0) === JUKEBOX) {
      setTimeout(() => this.#resend(record), RETRY_MS).unref();
      return;
    }
    this.#pending.delete(id);
    this.#answer(reply);
  }
}

async function portsOf({ address, mountOptions = "" }: NfsPlace, signal: AbortSignal): Promise<NfsPorts> {
  const options = new URLSearchParams(mountOptions.replaceAll(",", "&"));
  const [nfs, mount] = [options.get("port"), options.get("mountport")].map((port) =>
    port === null ? 0 : Number(port),
  );
  if (nfs && mount) return { nfs, mount };
  const found = await findNfsPorts(address, signal);
  return { nfs: nfs || found.nfs, mount: mount || found.mount };
}

/** One call over a connection of its own. */
function exchange(
  { address, port }: { readonly address: string; readonly port: number },
  record: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: address, signal });
    const splitter = new RecordSplitter();
    socket.on("data", (piece) => {
      for (const reply of splitter.accept(piece)) {
        resolve(reply);
        socket.destroy();
      }
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new NfsFailure("EIO", `${address} hung up`)));
    writeRecord(socket, record);
  });
}
