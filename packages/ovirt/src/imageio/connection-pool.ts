import type { Semaphore } from "@ovault/contract";

import { Connection } from "./connection.ts";
import { ImageioConnectionError } from "./errors.ts";

import type { Endpoint } from "./endpoint.ts";

export interface ConnectionPoolOptions {
  readonly endpoint: Endpoint;
  readonly idleMs: number;
  /** Connections of this transfer. */
  readonly lanes: Semaphore;
  /** Connections to the host, shared with other transfers. */
  readonly host: Semaphore;
}

/**
 * The connections of one transfer. Each holds a permit of its host from opening to closing, in use or idle: for the
 * daemon's backend an idle connection counts like a busy one.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  #endpoint: Endpoint;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #forgetReclaim: () => void;
  #closed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint;
    this.#forgetReclaim = options.host.onScarcity(() => this.#reclaim());
  }

  /** A connection for one request, to be given to `release` or `discard`. `fresh`: never used before. */
  async take(fresh: boolean, signal: AbortSignal): Promise<Connection> {
    const { idleMs, lanes, host } = this.#options;
    await lanes.acquire(signal);
    try {
      this.#assertOpen();
      const idle = this.#idle.pop();
      if (idle !== undefined && !fresh) return idle;
      if (idle !== undefined) await this.#close(idle);
      await host.acquire(signal);
      if (this.#closed) host.release();
      this.#assertOpen();
      const connection = new Connection(this.#endpoint, idleMs);
      this.#all.add(connection);
      return connection;
    } catch (error) {
      lanes.release();
      throw error;
    }
  }

  /** Keeps the connection for the next request, unless another transfer waits for a slot on the host. */
  async release(connection: Connection): Promise<void> {
    if (this.#closed || this.#options.host.contended) await this.#close(connection);
    else this.#idle.push(connection);
    this.#options.lanes.release();
  }

  async discard(connection: Connection): Promise<void> {
    await this.#close(connection);
    this.#options.lanes.release();
  }

  /** Opens new connections there from now on. */
  moveTo(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
    for (const idle of this.#idle.splice(0)) void this.#close(idle);
  }

  /** Closes every connection for good, fails requests in flight, and resolves when all sockets are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forgetReclaim();
    await this.drop();
  }

  /** Closes the open connections and fails requests in flight; new ones may be opened. */
  async drop(): Promise<void> {
    this.#idle.length = 0;
    await Promise.all([...this.#all].map((connection) => this.#close(connection)));
  }

  #reclaim(): boolean {
    const idle = this.#idle.shift();
    if (idle === undefined) return false;
    void this.#close(idle);
    return true;
  }

  async #close(connection: Connection): Promise<void> {
    const ours = this.#all.delete(connection);
    await connection.destroy();
    if (ours) this.#options.host.release();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ImageioConnectionError("this transfer's connections are closed", { retry: "never" });
  }
}
