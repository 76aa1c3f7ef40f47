import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type AddressInfo, type Socket } from "node:net";

import type { ServerCertificate } from "./certificates.ts";

/** The first byte of every TLS connection. */
const TLS_HANDSHAKE = 0x16;

/** HTTP and HTTPS on one port, as ports 80 and 443 of an engine are on one host. */
export class PlainOrTlsServer {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  #port = 0;

  constructor(certificate: ServerCertificate, reply: (path: string) => { status: number; body: string }) {
    const listener: RequestListener = (request, response) => {
      const { status, body } = reply(request.url ?? "");
      response.writeHead(status).end(body);
    };
    const plain = createHttpServer(listener);
    const tls = createHttpsServer({ cert: certificate.cert, key: certificate.key }, listener);
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("data", (bytes) => {
        socket.pause();
        socket.unshift(bytes);
        (bytes[0] === TLS_HANDSHAKE ? tls : plain).emit("connection", socket);
        process.nextTick(() => socket.resume());
      });
    });
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}/ovirt-engine/api`;
  }

  async start(): Promise<this> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** May be called again. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }
}
