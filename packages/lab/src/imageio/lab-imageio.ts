import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";

import { ImageioError } from "./errors.ts";
import { ImageioFaults } from "./faults.ts";
import { replyError } from "./http-reply.ts";
import type { ImageioDaemon, ImageioTicket, TicketInfo } from "./imageio-daemon.ts";
import { ImagesApi } from "./images-api.ts";
import { route } from "./route.ts";
import { Ticket } from "./ticket.ts";

/** Time-out of a connection until its first authorized request. */
const STRANGER_TIMEOUT_MS = 60_000;

export interface LabImageioOptions {
  /** PEM. */
  readonly key: string;
  /** PEM: the certificate, and intermediate ones after it. */
  readonly cert: string;
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Name or address in transfer URLs, and of the certificate. Default: `host`. */
  readonly publicHost?: string;
  /** Also listen here, without TLS, and advertise it to clients. */
  readonly unixSocket?: string;
  /** How long removeTicket waits for running requests, in ms. Default 60 s. */
  readonly removeTimeoutMs?: number;
}

/** The lab's own imageio daemon: HTTPS over NBD exports and files, with the answers and pitfalls of the real one. */
export class LabImageio implements ImageioDaemon {
  readonly faults = new ImageioFaults();
  readonly port: number;
  readonly #options: LabImageioOptions;
  readonly #tickets = new Map<string, Ticket>();
  readonly #api: ImagesApi;
  readonly #servers: readonly HttpServer[];
  /** Connections with at least one request. */
  readonly #keptAlive = new WeakSet<Socket>();

  private constructor(options: LabImageioOptions, https: HttpServer, servers: readonly HttpServer[]) {
    this.#options = options;
    this.#servers = servers;
    this.#api = new ImagesApi({ tickets: this.#tickets, faults: this.faults, unixSocket: options.unixSocket });
    for (const server of servers) this.#serve(server);
    this.port = portOf(https);
  }

  static async start(options: LabImageioOptions): Promise<LabImageio> {
    const { key, cert, host, port, unixSocket } = options;
    const https = createHttpsServer({ key, cert, minVersion: "TLSv1.2", ALPNProtocols: [] });
    await listening(https.listen(port, host));
    const servers: HttpServer[] = [https];
    if (unixSocket !== undefined) {
      const local = createHttpServer();
      await listening(local.listen(unixSocket));
      servers.push(local);
    }
    return new LabImageio(options, https, servers);
  }

  addTicket(ticket: ImageioTicket): Promise<void> {
    this.#tickets.set(ticket.uuid, new Ticket(ticket));
    return Promise.resolve();
  }

  extendTicket(ticketId: string, timeoutSeconds: number): Promise<void> {
    const ticket = this.#tickets.get(ticketId);
    if (ticket === undefined) return Promise.reject(new ImageioError(`no ticket ${ticketId}`));
    ticket.extend(timeoutSeconds);
    return Promise.resolve();
  }

  async removeTicket(ticketId: string): Promise<void> {
    await this.#tickets.get(ticketId)?.cancel(this.#options.removeTimeoutMs ?? 60_000);
    this.#tickets.delete(ticketId);
  }

  ticketInfo(ticketId: string): Promise<TicketInfo | undefined> {
    return Promise.resolve(this.#tickets.get(ticketId)?.info());
  }

  transferUrl(ticketId: string): string {
    return `https://${this.#options.publicHost ?? this.#options.host}:${this.port}/images/${ticketId}`;
  }

  /** Fault: all tickets expire now. */
  expireTickets(): void {
    for (const ticket of this.#tickets.values()) ticket.extend(0);
  }

  /** Fault: stops the daemon, and loses all tickets, until `comeBack`. */
  async goDown(): Promise<void> {
    await this.#stopListening();
    this.#tickets.clear();
  }

  /** Starts the daemon again at the same address. */
  async comeBack(): Promise<void> {
    const { host, unixSocket = "" } = this.#options;
    for (const server of this.#servers) {
      await listening(server instanceof HttpsServer ? server.listen(this.port, host) : server.listen(unixSocket));
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#stopListening();
    await Promise.all([...this.#tickets.values()].map((ticket) => ticket.cancel(1_000)));
  }

  async #stopListening(): Promise<void> {
    const listeners = this.#servers.filter(({ listening: isListening }) => isListening);
    const closed = listeners.map((server) => once(server, "close"));
    for (const server of listeners) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.all(closed);
  }

  #serve(server: HttpServer): void {
    server.requestTimeout = 0; // idle connections are ours to close, at the ticket's time
    server.keepAliveTimeout = 0;
    server.on("request", (request, response) => void this.#handle(request, response));
    const connected = server instanceof HttpsServer ? "secureConnection" : "connection";
    server.on(connected, (socket: Socket) => socket.setTimeout(STRANGER_TIMEOUT_MS));
    server.on("clientError", (_error, socket) => answerGarbage(socket));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (this.#keptAlive.has(socket) && this.faults.strikes("idleClose")) {
      socket.destroy();
      return;
    }
    this.#keptAlive.add(socket);
    socket.setTimeout(0);
    response.once("close", () => this.#watchIdle(socket, request.url ?? ""));
    try {
      await route(this.#api, request, response);
    } catch (error) {
      answerFailure(request, response, error);
      // the daemon never reads the chunks it refused: it takes the first for a request line
      if (request.headers["transfer-encoding"] !== undefined) answerGarbage(socket);
    }
  }

  #watchIdle(socket: Socket, url: string): void {
    const ticketId = /^\/images\/(?<id>[^/?]+)/.exec(url)?.groups?.["id"] ?? "";
    const seconds = this.#tickets.get(ticketId)?.data.inactivityTimeoutSeconds;
    if (!socket.destroyed) socket.setTimeout(seconds === undefined ? STRANGER_TIMEOUT_MS : seconds * 1000);
  }
}

/** Answers with the failure; if bytes have been sent already, cuts the connection. */
function answerFailure({ socket }: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) socket.destroySoon();
  else replyError(response, error);
}

/** Answers input that is not HTTP with a page of HTML without a status line, and ends the connection. */
function answerGarbage(socket: Duplex): void {
  if (socket.writable) socket.end('<!DOCTYPE HTML>\n<html lang="en"><body><p>Error code: 400</p></body></html>\n');
  else socket.destroy();
}

async function listening(server: Server): Promise<void> {
  await once(server, "listening");
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new ImageioError("the imageio endpoint has no port");
  return address.port;
}
