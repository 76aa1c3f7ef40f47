import net from "node:net";
import tls from "node:tls";

import { describeAddress, type NbdAddress } from "./address.ts";
import { NbdConnectionError, NbdError } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import { welcome } from "./server-handshake.ts";
import { serveRequests } from "./server-requests.ts";
import { secureServerSocket } from "./socket.ts";

const HANDSHAKE_TIMEOUT_MS = 30_000;
const CONNECTION_BUDGET_BYTES = 64 * 1024 * 1024;
const STALLED_TIMEOUT_MS = 10 * 60_000;

/** Certificate, key, and the CA of clients; with `requestCert` the server refuses a client without a valid one. */
export interface NbdServerTlsOptions extends tls.SecureContextOptions {
  readonly requestCert?: boolean;
}

export interface NbdServerOptions {
  /** By name; "" is the default export. The server reads it for every client, so exports may come and go. */
  readonly exports: ReadonlyMap<string, NbdExport>;
  /** If present, clients must use TLS. */
  readonly tls?: NbdServerTlsOptions;
  /** Maximum bytes of requests and replies under way on one connection. Default 64 MiB. */
  readonly connectionBudgetBytes?: number;
  /** Further connections are closed at once. With the budget, it bounds the memory of all. Default: no limit. */
  readonly maxConnections?: number;
  /** Time in which a client must have chosen its export. Default 30 s. */
  readonly handshakeTimeoutMs?: number;
  /** A client that takes nothing of a reply for so long is disconnected; an idle one is not. Default 10 min. */
  readonly stalledTimeoutMs?: number;
  /** Called when a connection ends early, e.g. with an NbdProtocolError. */
  readonly onClientError?: (error: NbdError) => void;
}

/**
 * Serves exports to any number of clients. The directory of a unix socket controls access to it.
 */
export class NbdServer {
  /** The requested address, with the real port in place of 0. */
  readonly address: NbdAddress;
  readonly #listener: net.Server;
  readonly #options: NbdServerOptions;
  readonly #secureContext: tls.SecureContext | undefined;
  readonly #clients = new Map<net.Socket, Promise<void>>();

  /** @throws NbdConnectionError when the server cannot listen on the address */
  static async listen(address: NbdAddress, options: NbdServerOptions): Promise<NbdServer> {
    const listener = net.createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      listener.once("listening", resolve);
      listener.once("error", (cause) => reject(listenError(address, cause)));
      listener.listen(address);
    });
    return new NbdServer(listener, address, options);
  }

  private constructor(listener: net.Server, address: NbdAddress, options: NbdServerOptions) {
    const bound = listener.address();
    this.address =
      "host" in address && bound !== null && typeof bound === "object" ? { ...address, port: bound.port } : address;
    this.#listener = listener;
    this.#options = options;
    this.#secureContext = options.tls === undefined ? undefined : tls.createSecureContext(options.tls);
    if (options.maxConnections !== undefined) listener.maxConnections = options.maxConnections;
    listener.on("connection", (socket) => this.#accept(socket));
    listener.on("error", (cause) => this.#report(listenError(address, cause)));
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Disconnects every client and waits until no export is in use. Never rejects. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    for (const socket of this.#clients.keys()) socket.destroy();
    await Promise.all(this.#clients.values());
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: net.Socket): void {
    // Prevents an unhandled 'error' while no reader is attached (TLS upgrade).
    socket.on("error", () => {});
    const served = this.#serve(socket)
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        socket.destroy();
        this.#clients.delete(socket);
      });
    this.#clients.set(socket, served);
  }

  async #serve(socket: net.Socket): Promise<void> {
    const timeoutMs = this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    const deadline = setTimeout(() => socket.destroy(new NbdConnectionError("no NBD handshake in time")), timeoutMs);
    try {
      const client = await welcome(socket, { exports: this.#options.exports, secure: this.#secure() });
      clearTimeout(deadline);
      if (client !== undefined) {
        this.#disconnectWhenStalled(client.socket);
        await serveRequests(client, this.#options.connectionBudgetBytes ?? CONNECTION_BUDGET_BYTES);
      }
      await goodbye(client?.socket ?? socket);
    } finally {
      clearTimeout(deadline);
    }
  }

  #disconnectWhenStalled(socket: net.Socket): void {
    socket.setTimeout(this.#options.stalledTimeoutMs ?? STALLED_TIMEOUT_MS, () => {
      if (socket.writableLength > 0) socket.destroy(new NbdConnectionError("an NBD client takes no replies"));
    });
  }

  #secure(): ((socket: net.Socket) => Promise<net.Socket>) | undefined {
    const context = this.#secureContext;
    if (context === undefined) return undefined;
    return (socket) => secureServerSocket(socket, context, this.#options.tls?.requestCert === true);
  }

  #report(error: unknown): void {
    this.#options.onClientError?.(
      error instanceof NbdError ? error : new NbdError("serving an NBD client failed", { cause: error }),
    );
  }
}

/** Sends the last replies. A client that disconnects without reading them closes the socket itself. */
function goodbye(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once("close", () => resolve());
    socket.end(() => resolve());
  });
}

function listenError(address: NbdAddress, cause: Error): NbdConnectionError {
  return new NbdConnectionError(`cannot listen on ${describeAddress(address)}: ${cause.message}`, { cause });
}
