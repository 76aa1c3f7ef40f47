import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes that still come through in each direction before the link breaks. */
export interface Allowance {
  readonly sent?: number;
  readonly received?: number;
}

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
}

const ENDLESS = { sent: Infinity, received: Infinity };

/** A TCP link to a server of this machine that breaks, or falls silent, when told. */
export class UnreliableLink {
  readonly #listener: Server;
  readonly #connections = new Set<Connection>();
  #breaks: Allowance[] = [];
  #left = ENDLESS;
  #silent = false;
  /** Connections made so far, and those that were broken as told. */
  made = 0;
  broken = 0;

  private constructor(listener: Server) {
    this.#listener = listener;
  }

  static async to(port: number): Promise<UnreliableLink> {
    const listener = createServer();
    const link = new UnreliableLink(listener);
    listener.on("connection", (client) => link.#accept(client, connect(port, "127.0.0.1")));
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return link;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the link has no port");
    return address.port;
  }

  /** Breaks at the very byte, counted from now on or from the break before; after the last one it holds. */
  breakAfter(...breaks: readonly Allowance[]): void {
    this.#breaks = [...breaks];
    this.#nextBreak();
  }

  breakNow(): void {
    for (const connection of this.#connections) cut(connection);
  }

  /** From now on nothing comes through in either direction, without an error. */
  fallSilent(): void {
    this.#silent = true;
    for (const { client, server } of this.#connections) {
      client.pause();
      server.pause();
    }
  }

  speakAgain(): void {
    this.#silent = false;
    for (const { client, server } of this.#connections) {
      client.resume();
      server.resume();
    }
  }

  async close(): Promise<void> {
    this.breakNow();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #nextBreak(): void {
    this.#left = { ...ENDLESS, ...this.#breaks.shift() };
  }

  #accept(client: Socket, server: Socket): void {
    this.made += 1;
    const connection = { client, server };
    this.#connections.add(connection);
    const forget = (): void => {
      cut(connection);
      this.#connections.delete(connection);
    };
    for (const socket of [client, server]) {
      socket.setNoDelay();
      socket.on("error", forget);
      socket.on("close", forget);
      if (this.#silent) socket.pause();
    }
    client.on("data", (bytes) => this.#forward("sent", bytes, connection, server));
    server.on("data", (bytes) => this.#forward("received", bytes, connection, client));
  }

  #forward(direction: keyof Allowance, bytes: Buffer, connection: Connection, target: Socket): void {
    const left = this.#left[direction];
    if (bytes.length < left) {
      this.#left[direction] -= bytes.length;
      target.write(bytes);
    } else {
      this.broken += 1;
      this.#nextBreak();
      target.write(bytes.subarray(0, left), () => cut(connection));
    }
  }
}

function cut({ client, server }: Connection): void {
  client.destroy();
  server.destroy();
}
