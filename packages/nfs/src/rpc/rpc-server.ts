import { BlockList, createServer, isIP, isIPv6, type Server, type Socket } from "node:net";

import { NfsServerError } from "../errors.ts";
import { ReplyCache } from "./reply-cache.ts";
import { plainAddress, RpcConnection } from "./rpc-connection.ts";
import type { RpcProgram } from "./rpc-program.ts";

export interface RpcServerOptions {
  /** Default: all addresses of this machine. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly programs: readonly RpcProgram[];
  /** Addresses, or networks as `10.0.0.0/8`, that may connect. */
  readonly allow: readonly string[];
  readonly mostRecordBytes: number;
  /** Calls that are carried out and replies that were not taken, of all connections. Default 512 MiB. */
  readonly mostHeldBytes?: number;
  readonly onError: (error: unknown) => void;
}

/** Kernels have 16 to 64 under way. */
const MOST_CALLS = 64;
const MOST_HELD_BYTES = 512 * 1024 * 1024;
/** The same of one connection. */
const MOST_HELD_BYTES_OF_ONE = 16 * 1024 * 1024;
/** A kernel uses one connection for each mount, or a few with `nconnect`. */
const MOST_CONNECTIONS = 256;

/** Answers calls of ONC RPC over TCP, from the addresses that are allowed; hangs up on all others. */
export class RpcServer {
  readonly port: number;
  readonly #listener: Server;
  readonly #options: RpcServerOptions;
  readonly #allowed: BlockList;
  readonly #replies = new ReplyCache();
  readonly #connections = new Map<Socket, RpcConnection>();

  /** @throws NfsServerError when it cannot listen there, or an allowed address is none */
  static async listen(options: RpcServerOptions): Promise<RpcServer> {
    const allowed = allowList(options.allow);
    const listener = createServer({ noDelay: true, keepAlive: true });
    listener.maxConnections = MOST_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      listener.once("listening", resolve);
      listener.once("error", (cause) => {
        const hint = "Another NFS server may listen there, and ports below 1024 need root: choose another port.";
        reject(new NfsServerError(`cannot listen on port ${options.port}: ${cause.message}`, { cause, hint }));
      });
      listener.listen({ port: options.port, ...(options.host !== undefined && { host: options.host }) });
    });
    return new RpcServer(listener, allowed, options);
  }

  private constructor(listener: Server, allowed: BlockList, options: RpcServerOptions) {
    const address = listener.address();
    this.port = typeof address === "object" && address !== null ? address.port : options.port;
    this.#listener = listener;
    this.#allowed = allowed;
    this.#options = options;
    listener.on("connection", (socket) => this.#accept(socket));
    listener.on("error", (error) => options.onError(error));
  }

  /** Hangs up, and resolves when no call is under way any more. Never rejects. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    const connections = [...this.#connections];
    for (const [socket] of connections) socket.destroy();
    await Promise.all(connections.map(([, connection]) => connection.ended()));
    await closed;
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    // A client that is gone already has no address.
    const family = isIP(address);
    if (family === 0 || !this.#allowed.check(address, family === 6 ? "ipv6" : "ipv4")) {
      socket.destroy();
      return;
    }
    const { programs, mostRecordBytes, onError } = this.#options;
    const limits = { mostRecordBytes, mostCalls: MOST_CALLS, mostHeldBytes: MOST_HELD_BYTES_OF_ONE };
    const options = { programs, onError, replies: this.#replies, onHeld: () => this.#boundMemory(), ...limits };
    this.#connections.set(socket, new RpcConnection(socket, address, options));
    socket.once("close", () => this.#connections.delete(socket));
  }

  /** Hangs up on the client that takes its replies slowest. It comes back and asks again. */
  #boundMemory(): void {
    let held = 0;
    let slowest: Socket | undefined;
    for (const [socket, connection] of this.#connections) {
      // Its memory is about to be free.
      if (socket.destroyed) continue;
      held += connection.heldBytes;
      if (socket.writableLength > (slowest?.writableLength ?? 0)) slowest = socket;
    }
    if (held > (this.#options.mostHeldBytes ?? MOST_HELD_BYTES)) slowest?.destroy();
  }
}

function allowList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [, address = "", prefix] = /^([^/]*)(?:\/(\d+))?$/.exec(entry) ?? [];
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(prefix), family);
    } catch (cause) {
      throw new NfsServerError(`${entry} is no address and no network`, {
        cause,
        hint: "Write an address as 10.0.0.5, and a network as 10.0.0.0/24.",
      });
    }
  }
  return list;
}
