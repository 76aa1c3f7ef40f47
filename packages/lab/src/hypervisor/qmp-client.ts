import { createInterface } from "node:readline";
import type { Socket } from "node:net";

import { z } from "zod";

import { QmpError } from "./errors.ts";

/** Arguments of a QMP command, by QEMU's own names. */
export type QmpArguments = Readonly<Record<string, unknown>>;

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const message = z.union([
  z.object({ QMP: z.unknown() }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ id: z.number(), return: z.unknown() }),
  z.object({ id: z.number(), error: z.object({ class: z.string(), desc: z.string() }) }),
]);

interface Pending {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: QmpError): void;
}

interface Waiter {
  matches(event: QmpEvent): boolean;
  resolve(event: QmpEvent): void;
  reject(error: QmpError): void;
}

/**
 * QEMU's monitor protocol on an open socket: one JSON object a line, answers matched to commands by id. When the
 * connection ends, all pending calls fail with QmpError.
 */
export class QmpClient {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #waiters = new Set<Waiter>();
  #lastId = 0;
  #closed: QmpError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on("line", (line) => this.#receive(line));
    lines.on("error", () => undefined); // the socket's; its "close" follows and says enough
    socket.on("close", () => this.#fail(new QmpError("QEMU closed its monitor")));
  }

  /** Takes over a socket that is connected to QEMU's monitor. */
  static async open(socket: Socket): Promise<QmpClient> {
    const client = new QmpClient(socket);
    await client.execute("qmp_capabilities");
    return client;
  }

  /** Sends one command and returns what QEMU returned. @throws QmpError with QEMU's own words */
  execute(command: string, args: QmpArguments = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { command, resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /**
   * Waits for an event that comes after this call. Call it before the command that causes the event, and await it
   * after.
   */
  nextEvent(matches: (event: QmpEvent) => boolean): Promise<QmpEvent> {
    if (this.#closed) return Promise.reject(this.#closed);
    const event = new Promise<QmpEvent>((resolve, reject) => {
      this.#waiters.add({ matches, resolve, reject });
    });
    event.catch(() => undefined); // if the command fails first, the caller does not await the event
    return event;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(line: string): void {
    const parsed = message.parse(JSON.parse(line));
    if ("event" in parsed) {
      for (const waiter of this.#waiters) {
        if (!waiter.matches(parsed)) continue;
        this.#waiters.delete(waiter);
        waiter.resolve(parsed);
      }
    } else if ("id" in parsed) {
      const pending = this.#pending.get(parsed.id);
      this.#pending.delete(parsed.id);
      if ("error" in parsed) pending?.reject(refused(pending.command, parsed.error));
      else pending?.resolve(parsed.return);
    }
  }

  #fail(error: QmpError): void {
    this.#closed ??= error;
    for (const pending of this.#pending.values()) pending.reject(error);
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#pending.clear();
    this.#waiters.clear();
  }
}

function refused(command: string, error: { class: string; desc: string }): QmpError {
  return new QmpError(`QEMU refused ${command}: ${error.desc}`, { context: { command, class: error.class } });
}
