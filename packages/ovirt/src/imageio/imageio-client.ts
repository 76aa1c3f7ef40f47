import { text as readText } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { isTransient, messageOf, Semaphore } from "@ovault/contract";

import { clipExtents } from "./clip-extents.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { ImageioConnectionError, ImageioError, NoDirtyExtentsError, TicketError } from "./errors.ts";
import { findEndpoint, type Reached, type ReachOptions } from "./find-endpoint.ts";
import type { HostLosses } from "./host-losses.ts";
import { HostOutage } from "./host-outage.ts";
import { parseExtents, type ImageioExtent } from "./parse-extents.ts";
import { statusError } from "./status-error.ts";

import type { Connection, Patience, WireAnswer, WireRequest } from "./connection.ts";
import type { ImageioAbilities } from "./read-options.ts";

/** More connections gain nothing and starve other clients: the daemon's backends serve eight at most. */
export const MAX_HOST_CONNECTIONS = 8;

const DEFAULT_PATIENCE_MS = 600_000;
/** A host that never answered may be unreachable for good. */
const FIRST_PATIENCE_MS = 60_000;
const SERVER_ERROR_PAUSES_MS = [500, 1_000, 2_000];

export interface ImageioOptions extends ReachOptions {
  /** Size of the disk behind the transfer, in bytes. */
  readonly logicalBytes: number;
  /** Connections of this transfer; also bounded by what the daemon advertises and by `hostConnections`. Default 8. */
  readonly maxConnections?: number;
  /** Shared by all transfers of one host, so that together they keep to its limit. */
  readonly hostConnections?: Semaphore;
  /** Shared by all transfers of one host. */
  readonly losses?: HostLosses | undefined;
  /** Inactivity timeout of the transfer. Idle connections are closed well before it. */
  readonly inactivityTimeoutMs: number;
  /** Silence that ends an ordinary request. Default 2 minutes. */
  readonly requestTimeoutMs?: number;
  /** The daemon collects all extents before it answers, which takes long on big disks. Default 1 hour. */
  readonly extentsTimeoutMs?: number;
  /** How long each request waits for a host that does not answer. Default 10 minutes. */
  readonly patienceMs?: number;
  /** Receives a message for people once per outage: what a request waits for and why. */
  readonly onWait?: ((what: string) => void) | undefined;
  /** Whether the transfer is alive, as far as known: requests do not wait for one that is over. Default: it is. */
  readonly isAlive?: (signal: AbortSignal) => Promise<boolean>;
  /**
   * Called when the daemon refuses the ticket, with the number of refusals of this request. Resolves to true when the
   * transfer is alive and its ticket was renewed, or to the address where it goes on: the client then retries.
   */
  readonly renewTicket?: (signal: AbortSignal, refusals: number) => Promise<boolean | TransferAddress>;
}

/** Address and credentials of a transfer. */
export type TransferAddress = Pick<ReachOptions, "transferUrl" | "proxyUrl" | "signedTicket">;

type Extents = "zero" | "dirty";

interface Attempts {
  /** Requests that change the image are not retried after a 500: unflushed data may be gone. */
  readonly afterServerError: boolean;
}

/**
 * One image transfer, seen from the data side. Calls may overlap; each uses a connection of its own. Waits for a host
 * that does not answer, retries a read three times after a 500, and never after 400 or 416.
 *
 * Errors: TicketError, ImageioError, ImageioConnectionError, CertificateError, SourceError, NoDirtyExtentsError, or the
 * signal's reason. No message holds the ticket.
 */
export class ImageioClient {
  readonly abilities: ImageioAbilities;
  /** Maximum concurrent connections of this client. */
  readonly maxConnections: number;
  readonly #options: ImageioOptions;
  readonly #pool: ConnectionPool;
  readonly #patience: Patience;
  readonly #host: Semaphore;
  /** Requests wait for the host, and `onWait` was called. */
  #isOut = false;

  /** Finds the endpoint of the transfer (host, proxy or unix socket) and reads the daemon's abilities. */
  static async open(options: ImageioOptions & { readonly signal: AbortSignal }): Promise<ImageioClient> {
    const host = options.hostConnections ?? new Semaphore(MAX_HOST_CONNECTIONS);
    const { endpoint, abilities } = await reachInTime(options, host);
    const limit = Math.min(
      options.maxConnections ?? MAX_HOST_CONNECTIONS,
      MAX_HOST_CONNECTIONS,
      abilities.canWrite ? abilities.maxWriters : abilities.maxReaders,
    );
    const pool = new ConnectionPool({
      endpoint,
      idleMs: Math.max(1_000, Math.min(30_000, options.inactivityTimeoutMs / 2)),
      lanes: new Semaphore(limit),
      host,
    });
    return new ImageioClient({ options, abilities, limit, pool, host });
  }

  private constructor({ options, abilities, limit, pool, host }: ClientParts) {
    this.#options = options;
    this.#host = host;
    this.abilities = abilities;
    this.maxConnections = limit;
    this.#pool = pool;
    const requestMs = options.requestTimeoutMs ?? 120_000;
    this.#patience = { headMs: requestMs, bodyMs: requestMs };
  }

  /**
   * The extents of the disk, clipped to its size. Drain promptly: the daemon drops a client that leaves the answer
   * unread, and connections are few. `dirty` throws NoDirtyExtentsError when there are none.
   */
  async *extents(context: Extents, signal: AbortSignal): AsyncGenerator<ImageioExtent> {
    let position = 0;
    const outage = this.#outage();
    let refusals = 0;
    for (let fresh = false; ; fresh = true) {
      const connection = await this.#pool.take(fresh, signal);
      let done = false;
      let failure: unknown;
      try {
        for await (const extent of this.#readExtents(connection, context, position, signal)) {
          yield extent;
          position = extent.start + extent.length;
        }
        done = true;
        return;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      } finally {
        await (done ? this.#pool.release(connection) : this.#pool.discard(connection));
      }
      if (failure instanceof TicketError) await this.#renew(failure, (refusals += 1), signal);
      else if (failure instanceof ImageioConnectionError) await outage.pauseAfter(failure, signal);
      else if (fresh || !isTransient(failure)) throw failure;
    }
  }

  /** Number of readable bytes: for the file of a volume, whose size the engine does not report. */
  async measure(signal: AbortSignal): Promise<number> {
    const { contentRange } = await this.#request(
      { method: "GET", headers: { range: "bytes=0-0" }, patience: this.#patience, into: new Uint8Array(1) },
      { afterServerError: true },
      signal,
    );
    const total = /^bytes 0-0\/(\d+)$/.exec(contentRange)?.[1];
    if (total !== undefined && Number.isSafeInteger(Number(total))) return Number(total);
    throw new ImageioError(`imageio does not tell how many bytes there are (${contentRange || "no range"})`);
  }

  /** Fills the whole buffer from `offset`, or throws. */
  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    if (buffer.length === 0) return;
    const range = `${offset}-${offset + buffer.length - 1}`;
    const answer = await this.#request(
      { method: "GET", headers: { range: `bytes=${range}` }, patience: this.#patience, into: buffer },
      { afterServerError: true },
      signal,
    );
    if (answer.status !== 206 || !answer.contentRange.startsWith(`bytes ${range}/`)) {
      throw new ImageioError(`imageio answered a request for bytes ${range} with ${answer.contentRange || "others"}`, {
        context: { offset, length: buffer.length, status: answer.status },
      });
    }
  }

  /** Writes without flushing. `data` must not change until the promise settles. */
  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (data.length === 0) return;
    const headers = {
      "content-type": "application/octet-stream",
      "content-range": `bytes ${offset}-${offset + data.length - 1}/*`,
    };
    await this.#request(
      { method: "PUT", suffix: "?flush=n", headers, body: data, patience: this.#patience },
      { afterServerError: false },
      signal,
    );
  }

  /** Makes a range read as zeros, as cheaply as the storage can. Does not flush. */
  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    if (length === 0) return;
    await this.#patch({ op: "zero", offset, size: length, flush: false }, signal);
  }

  /** Everything written before, on any connection, is durable when this returns. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#patch({ op: "flush" }, signal);
  }

  /** Shows the daemon and the engine that the transfer is in use, so that neither ends it as idle. */
  async keepAlive(signal: AbortSignal): Promise<void> {
    await this.#once({ method: "OPTIONS", patience: this.#patience }, true, signal).catch((error: unknown) => {
      if (error instanceof ImageioConnectionError) this.#options.losses?.note();
      throw error;
    });
  }

  /** Closes the connections that are open; requests go on over others. */
  async disconnect(): Promise<void> {
    await this.#pool.drop();
  }

  /**
   * Closes all connections, fails requests in flight, and resolves when they are closed. Must precede finalizing the
   * transfer: the daemon keeps a ticket while clients are connected.
   */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #patch(body: Record<string, string | number | boolean>, signal: AbortSignal): Promise<void> {
    const headers = { "content-type": "application/json" };
    await this.#request(
      { method: "PATCH", headers, body: JSON.stringify(body), patience: this.#patience },
      { afterServerError: false },
      signal,
    );
  }

  async *#readExtents(
    connection: Connection,
    context: Extents,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<ImageioExtent> {
    const longMs = this.#options.extentsTimeoutMs ?? 3_600_000;
    const { status, body } = await connection.stream(
      { method: "GET", suffix: `/extents?context=${context}`, patience: { headMs: longMs, bodyMs: longMs } },
      signal,
    );
    if (status !== 200) {
      const text = await readText(body);
      if (status === 404 && context === "dirty") {
        throw new NoDirtyExtentsError(`imageio has no dirty extents: ${text.trim()}`, { context: { status } });
      }
      throw statusError("GET", { status, text });
    }
    yield* clipExtents(parseExtents(body), from, this.#options.logicalBytes);
  }

  async #request(request: WireRequest, attempts: Attempts, signal: AbortSignal): Promise<WireAnswer> {
    const outage = this.#outage();
    let serverErrors = 0;
    let refusals = 0;
    for (let fresh = false; ; fresh = true) {
      try {
        const answer = await this.#once(request, fresh, signal);
        this.#isOut = false;
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof TicketError) {
          await this.#renew(error, (refusals += 1), signal);
        } else if (error instanceof ImageioConnectionError) {
          await outage.pauseAfter(error, signal);
          // The daemon answers a refused PUT without reading its body, and the reset that follows often loses the
          // answer. A change without a body shows it: it is refused for the same reason, be it the ticket or the right
          // to write.
          if (request.method === "PUT") await this.flush(signal);
        } else {
          const pause = SERVER_ERROR_PAUSES_MS[serverErrors];
          serverErrors += 1;
          if (!attempts.afterServerError || !isTransient(error) || pause === undefined) throw error;
          await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
        }
      }
    }
  }

  #outage(): HostOutage {
    const { patienceMs = DEFAULT_PATIENCE_MS, onWait, isAlive = async () => true } = this.#options;
    const tell = (error: unknown): void => {
      if (!this.#isOut) onWait?.(waitText(error, patienceMs));
      this.#isOut = true;
    };
    return new HostOutage({ patienceMs, losses: this.#options.losses, onWait: tell, isAlive });
  }

  /** @throws the error, unless the transfer has a newer ticket */
  async #renew(error: TicketError, refusals: number, signal: AbortSignal): Promise<void> {
    const renewed = (await this.#options.renewTicket?.(signal, refusals)) ?? false;
    if (renewed === false) throw error;
    if (renewed === true) return;
    const { transferUrl: _url, proxyUrl: _proxy, signedTicket: _ticket, ...rest } = this.#options;
    this.#pool.moveTo((await reach({ ...rest, ...renewed }, this.#host, signal)).endpoint);
  }

  async #once(request: WireRequest, fresh: boolean, signal: AbortSignal): Promise<WireAnswer> {
    const connection = await this.#pool.take(fresh, signal);
    try {
      const answer = await connection.exchange(request, signal);
      if (answer.status >= 300) throw statusError(request.method, answer);
      await this.#pool.release(connection);
      return answer;
    } catch (error) {
      await this.#pool.discard(connection);
      throw error;
    }
  }
}

interface ClientParts {
  readonly options: ImageioOptions;
  readonly abilities: ImageioAbilities;
  readonly limit: number;
  readonly pool: ConnectionPool;
  readonly host: Semaphore;
}

function waitText(error: unknown, patienceMs: number): string {
  return `up to ${patienceMs / 1_000} s for imageio: ${messageOf(error)}`;
}

async function reachInTime(
  options: ImageioOptions & { readonly signal: AbortSignal },
  host: Semaphore,
): Promise<Reached> {
  const { signal, onWait, isAlive = async () => true } = options;
  const patienceMs = Math.min(options.patienceMs ?? DEFAULT_PATIENCE_MS, FIRST_PATIENCE_MS);
  let isTold = false;
  const tell = (error: unknown): void => {
    if (!isTold) onWait?.(waitText(error, patienceMs));
    isTold = true;
  };
  const outage = new HostOutage({ patienceMs, losses: options.losses, onWait: tell, isAlive });
  for (;;) {
    try {
      return await reach(options, host, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ImageioConnectionError)) throw error;
      await outage.pauseAfter(error, signal);
    }
  }
}

async function reach(options: ReachOptions, host: Semaphore, signal: AbortSignal): Promise<Reached> {
  await host.acquire(signal);
  try {
    return await findEndpoint(options, signal);
  } finally {
    host.release();
  }
}
