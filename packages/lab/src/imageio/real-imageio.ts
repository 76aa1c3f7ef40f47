import { request as httpRequest } from "node:http";

import { z } from "zod";

import { ImageioError, TicketBusyError } from "./errors.ts";
import type { ImageioDaemon, ImageioTicket, TicketInfo } from "./imageio-daemon.ts";

export interface RealImageioOptions {
  /** Unix socket of the daemon's control service. */
  readonly controlSocket: string;
  /** URL of the daemon for clients, e.g. `https://127.0.0.1:54322`. */
  readonly url: string;
}

const shownTicket = z.object({
  active: z.boolean(),
  idle_time: z.number(),
  transferred: z.number().optional(),
});

interface Renewal {
  readonly timeoutSeconds: number;
  readonly at: number;
}

/** Gives tickets to a real ovirt-imageio daemon. `close` neither stops it nor removes its tickets. */
export class RealImageio implements ImageioDaemon {
  readonly #options: RealImageioOptions;
  /** Renewals by ticket: the daemon reports expiry by its own clock. */
  readonly #renewed = new Map<string, Renewal>();

  constructor(options: RealImageioOptions) {
    this.#options = options;
  }

  async addTicket(ticket: ImageioTicket): Promise<void> {
    const { uuid, source, timeoutSeconds } = ticket;
    await this.#call("PUT", uuid, {
      uuid,
      size: ticket.sizeBytes,
      url: source.kind === "file" ? `file://${source.path}` : `nbd:unix:${source.path}:exportname=${source.exportName}`,
      ops: ticket.ops,
      timeout: timeoutSeconds,
      inactivity_timeout: ticket.inactivityTimeoutSeconds,
      dirty: ticket.dirty,
      sparse: ticket.sparse ?? true,
      ...(ticket.filename !== undefined && { filename: ticket.filename }),
      ...(ticket.transferId !== undefined && { transfer_id: ticket.transferId }),
    });
    this.#renewed.set(uuid, { timeoutSeconds, at: performance.now() });
  }

  async extendTicket(ticketId: string, timeoutSeconds: number): Promise<void> {
    await this.#call("PATCH", ticketId, { timeout: timeoutSeconds });
    this.#renewed.set(ticketId, { timeoutSeconds, at: performance.now() });
  }

  async removeTicket(ticketId: string): Promise<void> {
    await this.#call("DELETE", ticketId);
    this.#renewed.delete(ticketId);
  }

  async ticketInfo(ticketId: string): Promise<TicketInfo | undefined> {
    const { status, body } = await this.#send("GET", ticketId);
    if (status === 404) return undefined;
    if (status !== 200) throw refused("GET", ticketId, status, body);
    const { active, idle_time: idleSeconds, transferred } = shownTicket.parse(JSON.parse(body));
    return {
      active,
      idleSeconds,
      expired: !active && this.#hasExpired(ticketId, idleSeconds),
      ...(transferred !== undefined && { transferredBytes: transferred }),
    };
  }

  transferUrl(ticketId: string): string {
    return `${this.#options.url}/images/${ticketId}`;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #hasExpired(ticketId: string, idleSeconds: number): boolean {
    const renewal = this.#renewed.get(ticketId);
    if (renewal === undefined) return false;
    const sinceRenewal = (performance.now() - renewal.at) / 1000;
    return Math.min(idleSeconds, sinceRenewal) >= renewal.timeoutSeconds;
  }

  async #call(method: string, ticketId: string, message?: object): Promise<void> {
    const { status, body } = await this.#send(method, ticketId, message);
    if (status === 409) throw new TicketBusyError(body.trim(), { retry: "transient", context: { ticketId } });
    if (status >= 300) throw refused(method, ticketId, status, body);
  }

  #send(method: string, ticketId: string, message?: object): Promise<{ status: number; body: string }> {
    const text = message === undefined ? "" : JSON.stringify(message);
    const headers = { "content-length": Buffer.byteLength(text) };
    const { controlSocket: socketPath } = this.#options;
    return new Promise((resolve, reject) => {
      const call = httpRequest({ socketPath, method, path: `/tickets/${ticketId}`, headers }, (response) => {
        response.setEncoding("utf8");
        response.toArray().then((parts) => resolve({ status: response.statusCode ?? 0, body: parts.join("") }), reject);
      });
      call.on("error", (cause) => reject(unreachable(socketPath, cause)));
      call.end(text);
    });
  }
}

function refused(method: string, ticketId: string, status: number, body: string): ImageioError {
  return new ImageioError(`imageio refused ${method} of ticket ${ticketId}: ${body.trim()}`, {
    context: { method, ticketId, status },
  });
}

function unreachable(socketPath: string, cause: unknown): ImageioError {
  return new ImageioError(`the imageio daemon does not answer at ${socketPath}`, {
    cause,
    context: { socketPath },
    hint: "Start ovirt-imageio, and give its control socket as --imageio-control.",
  });
}
