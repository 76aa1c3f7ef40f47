import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { algorithms, checksumOf, parseBlockSize } from "./checksum.ts";
import { HttpRefusal, ImageioError, forbidden } from "./errors.ts";
import type { ImageioFaults } from "./faults.ts";
import { beginReply, reply, replyJson } from "./http-reply.ts";
import { parsePatch } from "./patch-request.ts";
import { pythonJson, pythonRepr } from "./python-json.ts";
import { outOfRange, parseContentRange, parseRange } from "./ranges.ts";
import { receiveInto, sendFrom } from "./streaming.ts";
import type { Ticket } from "./ticket.ts";

/** One request on `/images/`. */
export interface ImageRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** Verbatim from the path. */
  readonly ticketId: string;
}

export interface ImagesApiOptions {
  readonly tickets: ReadonlyMap<string, Ticket>;
  readonly faults: ImageioFaults;
  /** Advertised to clients as an address without TLS; absent: none. */
  readonly unixSocket: string | undefined;
}

/** The requests of clients on tickets. Answers, headers and order of checks follow a real daemon. */
export class ImagesApi {
  readonly #options: ImagesApiOptions;

  constructor(options: ImagesApiOptions) {
    this.#options = options;
  }

  async options({ request, response, ticketId }: ImageRequest): Promise<void> {
    const { unixSocket } = this.#options;
    const address = unixSocket === undefined ? {} : { unix_socket: unixSocket };
    const allow = { allow: "OPTIONS,GET,PUT,PATCH" };
    if (ticketId === "*") {
      replyJson(response, pythonJson({ ...address, features: ["checksum", "extents", "flush", "zero"] }), allow);
      return;
    }
    const ticket = this.#authorized(ticketId, "read");
    const writable = ticket.data.ops.includes("write");
    const { maxReaders, maxWriters } = await ticket.run(() => ticket.backend(request.socket));
    const reading = ticket.data.extents === false ? [] : ["checksum", "extents"];
    const features = writable ? [...reading, "flush", "zero"] : reading;
    const body = { ...address, features, max_readers: maxReaders, max_writers: maxWriters };
    replyJson(response, pythonJson(body), writable ? allow : { allow: "OPTIONS,GET" });
  }

  async get({ request, response, query, ticketId }: ImageRequest): Promise<void> {
    const ticket = this.#authorized(ticketId, "read");
    const range = request.headers.range === undefined ? undefined : parseRange(request.headers.range);
    const { sizeBytes, filename } = ticket.data;
    if (range?.last !== undefined && range.last >= sizeBytes) {
      throw outOfRange(sizeBytes, "Requested range out of allowed range");
    }
    await ticket.run(async (signal) => {
      const backend = await ticket.backend(request.socket);
      const available = Math.min(sizeBytes, backend.sizeBytes);
      const first = range?.first ?? 0;
      const last = range?.last ?? available - 1;
      const length = last - first + 1;
      const disposition = filename === undefined ? "attachment" : `attachment; filename=${asciiName(filename)}`;
      const headers = {
        "content-type": "application/octet-stream",
        "content-disposition": disposition,
        ...(range && { "content-range": `bytes ${first}-${last}/${sizeBytes}` }),
      };
      if (length < 0) {
        const text = `Requested ${length} bytes, available 0 bytes`;
        throw new HttpRefusal(400, text, { headers: { ...headers, "content-type": "text/plain; charset=UTF-8" } });
      }
      if (first + length > backend.sizeBytes) {
        const text = `Requested more bytes than available: ${first + length} > ${backend.sizeBytes}`;
        throw outOfRange(backend.sizeBytes, text);
      }
      const close = query.get("close") === "y";
      const begin = (): void => beginReply(response, range ? 206 : 200, length, { headers, close });
      const cutAfter = this.#options.faults.strikes("cutReads") ? Math.floor(length / 2) : length;
      await sendFrom(backend, { first, length, cutAfter }, response, begin, signal);
      ticket.count(first, length);
    });
  }

  async extents({ request, response, query, ticketId }: ImageRequest): Promise<void> {
    const ticket = this.#authorized(ticketId, "read");
    if (ticket.data.extents === false) throw new HttpRefusal(404, "Not found");
    const context = oneOf(query, "context", ["dirty", "zero"], "zero");
    if (context === "dirty" && !ticket.data.dirty) {
      throw new HttpRefusal(404, "Ticket does not support dirty extents");
    }
    const body = await ticket.run(async (signal) => {
      const { extentsDelayMs } = this.#options.faults;
      if (extentsDelayMs > 0) await sleep(extentsDelayMs, undefined, { signal });
      const backend = await ticket.backend(request.socket);
      const extents = context === "dirty" ? backend.dirtyExtents(signal) : backend.zeroExtents(signal);
      const items: string[] = [];
      for await (const extent of extents) items.push(pythonJson(extent));
      return `[${items.join(", ")}]`;
    });
    replyJson(response, body);
  }

  async checksum({ request, response, query, ticketId }: ImageRequest): Promise<void> {
    const algorithm = oneOf(query, "algorithm", algorithms, "blake2b");
    const blockBytes = parseBlockSize(query.get("block_size"));
    const ticket = this.#forChecksum(ticketId);
    const checksum = await ticket.run(async (signal) =>
      checksumOf(await ticket.backend(request.socket), algorithm, blockBytes, signal),
    );
    replyJson(response, pythonJson({ algorithm, block_size: blockBytes, checksum }));
  }

  /** Needs no ticket. */
  async algorithms({ response }: ImageRequest): Promise<void> {
    replyJson(response, pythonJson({ algorithms }));
  }

  async put({ request, response, query, ticketId }: ImageRequest): Promise<void> {
    const ticket = this.#known(ticketId);
    const { "content-length": lengthHeader, "content-range": rangeHeader } = request.headers;
    if (lengthHeader === undefined) throw new HttpRefusal(400, "Content-Length header is required");
    const length = Number(lengthHeader);
    const flush = oneOf(query, "flush", ["n", "y"], "y");
    const offset = rangeHeader === undefined ? 0 : parseContentRange(rangeHeader);
    ticket.authorize("write");
    const { sizeBytes } = ticket.data;
    if (offset + length > sizeBytes) throw outOfRange(sizeBytes, "Requested range out of allowed range");
    await ticket.run(async (signal) => {
      const backend = await ticket.backend(request.socket);
      const received = await receiveInto(backend, offset, request, signal);
      if (received < length) {
        throw new HttpRefusal(400, `Requested ${length} bytes, available ${received} bytes`, { close: true });
      }
      if (flush === "y") await backend.flush(signal);
      ticket.count(offset, length);
    });
    reply(response, 200, "", { close: query.get("close") === "y" });
  }

  async patch({ request, response, ticketId }: ImageRequest): Promise<void> {
    const patch = await parsePatch(request);
    const ticket = this.#authorized(ticketId, "write");
    if (patch.op === "zero") {
      const { sizeBytes } = ticket.data;
      if (patch.offset + patch.size > sizeBytes) throw outOfRange(sizeBytes, "Requested range out of allowed range");
    }
    await ticket.run(async (signal) => {
      const backend = await ticket.backend(request.socket);
      if (patch.op === "zero") {
        if (patch.size > 0) await backend.zero(patch.offset, patch.size, signal);
        ticket.count(patch.offset, patch.size);
      }
      if (patch.op === "flush" || patch.flush) await backend.flush(signal);
    });
    reply(response, 200, "");
  }

  /** The only request for which a refused ticket leaves the connection open. */
  #forChecksum(ticketId: string): Ticket {
    try {
      const ticket = this.#authorized(ticketId, "read");
      if (ticket.data.extents === false) throw new HttpRefusal(404, "Not found");
      return ticket;
    } catch (error) {
      if (error instanceof HttpRefusal && error.status === 403) throw new HttpRefusal(403, error.message);
      throw error;
    }
  }

  #known(ticketId: string): Ticket {
    if (ticketId === "") throw new HttpRefusal(400, "Ticket id is required");
    const ticket = this.#options.tickets.get(ticketId);
    if (ticket === undefined) throw forbidden(`No such ticket ${ticketId}`);
    if (this.#options.faults.strikes("expireTickets")) throw forbidden(`Transfer=${ticket.transferId} expired`);
    if (this.#options.faults.strikes("failRequests")) throw new ImageioError("a fault was switched on");
    return ticket;
  }

  #authorized(ticketId: string, operation: "read" | "write"): Ticket {
    const ticket = this.#known(ticketId);
    ticket.authorize(operation);
    return ticket;
  }
}

/** The daemon writes raw UTF-8 here, which Node's HTTP server cannot send. */
function asciiName(filename: string): string {
  return filename.replace(/[^\x20-\x7e]/g, "_");
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[], otherwise: T): T {
  const given = query.get(name);
  if (given === null) return otherwise;
  const value = values.find((candidate) => candidate === given);
  if (value !== undefined) return value;
  const expected = values.map(pythonRepr).join(", ");
  throw new HttpRefusal(400, `Unsupported value ${pythonRepr(given)} for '${name}', expecting one of [${expected}]`);
}
