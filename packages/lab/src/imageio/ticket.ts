import type { Socket } from "node:net";

import type { Backend } from "./backend.ts";
import { ByteRanges } from "./byte-ranges.ts";
import { TicketBusyError, forbidden } from "./errors.ts";
import { FileBackend } from "./file-backend.ts";
import type { ImageioTicket, TicketInfo } from "./imageio-daemon.ts";
import { NbdBackend } from "./nbd-backend.ts";

/** A ticket in the lab's daemon: its permissions, its expiry, and its requests under way. */
export class Ticket {
  readonly data: ImageioTicket;
  /** Name of the transfer in error texts. */
  readonly transferId: string;
  readonly #transferred = new ByteRanges();
  readonly #ongoing = new Map<AbortController, Promise<unknown>>();
  readonly #backends = new Map<Socket, Promise<Backend>>();
  #expiresAt: number;
  #lastUsedAt = performance.now();
  #cancelled = false;

  constructor(data: ImageioTicket) {
    this.data = data;
    this.transferId = data.transferId ?? `(ticket/${data.uuid})`;
    this.#expiresAt = performance.now() + data.timeoutSeconds * 1000;
  }

  /** @throws HttpRefusal, status 403 */
  authorize(operation: "read" | "write"): void {
    const { ops } = this.data;
    if (this.#cancelled) throw forbidden(`Transfer=${this.transferId} was canceled`);
    if (this.#expired) throw forbidden(`Transfer=${this.transferId} expired`);
    if (ops.length === 0 || (operation === "write" && !ops.includes("write"))) {
      throw forbidden(`Transfer=${this.transferId} forbids ${operation}`);
    }
  }

  /** Runs a request. Cancelling the ticket aborts its signal; a successful request renews the ticket. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const running = work(controller.signal);
    this.#ongoing.set(controller, running);
    try {
      const result = await running;
      this.#expiresAt = performance.now() + this.data.timeoutSeconds * 1000;
      return result;
    } finally {
      this.#ongoing.delete(controller);
      this.#lastUsedAt = performance.now();
    }
  }

  /** Counts the bytes of a finished read or write. */
  count(offset: number, length: number): void {
    this.#transferred.add(offset, offset + length);
  }

  /** The backend of one HTTP connection: opened on first use, closed with the connection or the ticket. */
  backend(socket: Socket): Promise<Backend> {
    const known = this.#backends.get(socket);
    if (known !== undefined) return known;
    const opening = this.#open();
    this.#backends.set(socket, opening);
    opening.catch(() => this.#backends.delete(socket));
    socket.once("close", () => void this.#release(socket));
    return opening;
  }

  extend(timeoutSeconds: number): void {
    this.#expiresAt = performance.now() + timeoutSeconds * 1000;
  }

  /** Cancels requests under way and waits for them. @throws TicketBusyError after `patienceMs` */
  async cancel(patienceMs: number): Promise<void> {
    this.#cancelled = true;
    for (const controller of this.#ongoing.keys()) controller.abort();
    const idle = Promise.allSettled(this.#ongoing.values()).then(() => true);
    if (!(await Promise.race([idle, after(patienceMs)]))) {
      throw new TicketBusyError(`Timeout cancelling transfer ${this.transferId}`, {
        retry: "transient",
        hint: "Close the connections of the clients, then try again.",
      });
    }
    for (const socket of this.#backends.keys()) await this.#release(socket);
  }

  info(): TicketInfo {
    const active = this.#ongoing.size > 0;
    const idleSeconds = active ? 0 : Math.floor((performance.now() - this.#lastUsedAt) / 1000);
    const oneWay = this.data.ops.length === 1;
    return {
      active,
      idleSeconds,
      expired: this.#expired,
      ...(oneWay && { transferredBytes: this.#transferred.bytes }),
    };
  }

  get #expired(): boolean {
    return this.#expiresAt <= performance.now();
  }

  #open(): Promise<Backend> {
    const { source, bitmap, dirty, sparse = true, ops } = this.data;
    if (source.kind === "file") return FileBackend.open(source.path, ops.includes("write"));
    return NbdBackend.connect({ ...source, bitmap: dirty ? bitmap : undefined, sparse }, AbortSignal.timeout(30_000));
  }

  async #release(socket: Socket): Promise<void> {
    const backend = await this.#backends.get(socket)?.catch(() => undefined);
    this.#backends.delete(socket);
    await backend?.close();
  }
}

function after(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms).unref());
}
