import { once } from "node:events";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer } from "node:https";

import type { Socket } from "node:net";

import type { ServerCertificate } from "@ovault/test-support/certificates";

export interface TestTicket {
  readonly image: Buffer;
  readonly ops: "read" | "write";
  readonly maxReaders: number;
  /** Bodies of the two extents contexts; no `dirty` means 404. */
  readonly zero: string;
  readonly dirty?: string;
  readonly inactivityMs: number;
  readonly valid: boolean;
}

/** What the next matching request meets. Taken from the front of the list, one for each request. */
export type Trap = "cut" | "close" | "error" | "hold";

/**
 * An imageio daemon over images in memory: a real TLS server that answers as the daemon was observed to, and closes,
 * cuts and falls silent where it does.
 */
export class ImageioServer {
  readonly tickets = new Map<string, TestTicket>();
  readonly traps: { method: string; trap: Trap }[] = [];
  readonly requests: string[] = [];
  readonly sockets = new Set<Socket>();
  /** Most sockets open at one time. */
  peakSockets = 0;
  readonly #server;
  readonly #users = new Map<string, Set<Socket>>();
  readonly #waiting: (() => void)[] = [];

  private constructor(certificate: ServerCertificate | undefined) {
    const listener: RequestListener = (request, response) => void this.#handle(request, response);
    this.#server = certificate === undefined ? createPlainServer(listener) : createServer(certificate, listener);
    this.#server.keepAliveTimeout = 0;
    this.#server.on(certificate === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      this.sockets.add(socket);
      this.peakSockets = Math.max(this.peakSockets, this.sockets.size);
      socket.on("error", () => socket.destroy());
      socket.on("timeout", () => socket.destroy());
      socket.on("close", () => {
        this.sockets.delete(socket);
        for (const users of this.#users.values()) users.delete(socket);
        this.#waiting.splice(0).forEach((resume) => resume());
      });
    });
  }

  /** TLS on 127.0.0.1, on a free port unless one is given, or plain HTTP on a unix socket. */
  static async start(at: ServerCertificate | string, port = 0): Promise<ImageioServer> {
    const server = new ImageioServer(typeof at === "string" ? undefined : at);
    if (typeof at === "string") server.#server.listen(at);
    else server.#server.listen(port, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return address.port;
  }

  url(ticket: string, host = "127.0.0.1"): string {
    return `https://${host}:${this.port}/images/${ticket}`;
  }

  add(id: string, ticket: Partial<TestTicket> & { image: Buffer }): void {
    const zero = JSON.stringify([{ start: 0, length: ticket.image.length, zero: false, hole: false }]);
    this.tickets.set(id, { ops: "read", maxReaders: 8, zero, inactivityMs: 60_000, valid: true, ...ticket });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "https://localhost");
    const [, , id = "", resource = ""] = pathname.split("/");
    const method = request.method ?? "";
    this.requests.push(`${method} ${resource}`.trim());
    const ticket = this.tickets.get(id);
    if (ticket === undefined || !ticket.valid) return this.#refuse(response, `No such ticket ${id}`);
    request.socket.setTimeout(ticket.inactivityMs);
    await this.#backend(id, ticket, request.socket);
    const trap = this.#takeTrap(method);
    if (trap === "close") return void request.socket.destroy();
    if (trap === "hold") return;
    if (trap === "error") return text(response, 500, "Server failed to perform the request, check logs");
    if (method === "OPTIONS") return this.#options(ticket, response);
    if (method === "GET" && resource === "extents")
      return this.#extents(ticket, searchParams.get("context"), trap, response);
    if (method === "GET") return this.#read(ticket, request, response, trap);
    if (ticket.ops !== "write") return this.#refuse(response, "forbids write");
    const body = await readAll(request);
    if (method === "PUT") {
      const first = Number(/^bytes (\d+)-/.exec(request.headers["content-range"] ?? "")?.[1] ?? 0);
      if (first + body.length > ticket.image.length) return text(response, 416, "Requested range out of allowed range");
      body.copy(ticket.image, first);
    } else {
      const { op, offset = 0, size = 0 } = JSON.parse(body.toString("utf8"));
      if (op === "zero") ticket.image.fill(0, offset, offset + size);
    }
    response.writeHead(200, { "content-length": 0 }).end();
  }

  /** A backend connection for each HTTP connection; one too many gets silence until another goes. */
  async #backend(id: string, ticket: TestTicket, socket: Socket): Promise<void> {
    const users = this.#users.get(id) ?? new Set<Socket>();
    this.#users.set(id, users);
    while (!users.has(socket) && users.size >= ticket.maxReaders) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    users.add(socket);
  }

  #options(ticket: TestTicket, response: ServerResponse): void {
    const features = ticket.ops === "write" ? ["extents", "flush", "zero"] : ["extents"];
    const answer = { unix_socket: "\0/org/ovirt/imageio", features, max_readers: ticket.maxReaders, max_writers: 8 };
    text(response, 200, JSON.stringify(answer));
  }

  #extents(ticket: TestTicket, context: string | null, trap: Trap | undefined, response: ServerResponse): void {
    const body = context === "dirty" ? ticket.dirty : ticket.zero;
    if (body === undefined) return text(response, 404, "Ticket does not support dirty extents");
    if (trap !== "cut") return text(response, 200, body);
    response.writeHead(200, { "content-length": body.length });
    response.write(body.slice(0, body.length / 2), () => response.socket?.destroy());
  }

  #read(ticket: TestTicket, request: IncomingMessage, response: ServerResponse, trap: Trap | undefined): void {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [first, last] = [Number(range?.[1]), Number(range?.[2])];
    const size = ticket.image.length;
    if (range === null || last >= size) return text(response, 416, "Requested range out of allowed range");
    const data = ticket.image.subarray(first, last + 1);
    response.writeHead(206, {
      "content-length": data.length,
      "content-type": "application/octet-stream",
      "content-range": `bytes ${first}-${last}/${size}`,
    });
    if (trap === "cut") response.write(data.subarray(0, data.length / 2), () => response.socket?.destroy());
    else response.end(data);
  }

  /** Answers without reading the body, then closes: what a client in the middle of a PUT seldom gets to read. */
  #refuse(response: ServerResponse, reason: string): void {
    const body = `You are not allowed to access this resource: ${reason}\n`;
    response.writeHead(403, { connection: "close", "content-length": body.length, "content-type": "text/plain" });
    response.end(body, () => response.socket?.destroy());
  }

  #takeTrap(method: string): Trap | undefined {
    const index = this.traps.findIndex((entry) => entry.method === method);
    return index < 0 ? undefined : this.traps.splice(index, 1)[0]?.trap;
  }
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body) + 1, "content-type": "text/plain" });
  response.end(`${body}\n`);
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}
