import type net from "node:net";
import type tls from "node:tls";

import { describeAddress, type NbdAddress } from "./address.ts";
import { negotiate, type NegotiatedConnection } from "./client-handshake.ts";
import { NbdConnectionError, NbdError, NbdHandshakeError, NbdProtocolError, NbdRequestError } from "./errors.ts";
import { type NbdErrno, COMMAND, COMMAND_FLAG, MAGIC, REQUEST_BYTES, TRANSMISSION } from "./protocol.ts";
import { PendingReply, type BlockStatus, type CommandName } from "./pending-reply.ts";
import { ReplyReceiver } from "./reply-receiver.ts";
import { openSocket, type ReadSocket } from "./socket.ts";
import { presentTicket, type NbdTicket } from "./ticket.ts";
import { writeUint64 } from "./uint64.ts";

const HANDSHAKE_TIMEOUT_MS = 30_000;
/** How long `close` waits for the server to close the socket before it does so itself. */
const CLOSE_TIMEOUT_MS = 5_000;
/** Longest request without payload: far below the 32 bits of the wire, and a multiple of any block size. */
const MAX_EFFECT_BYTES = 2 ** 30;

export interface NbdConnectOptions {
  readonly address: NbdAddress;
  readonly exportName: string;
  /** Metadata contexts to ask for: `base:allocation`, `qemu:dirty-bitmap:NAME`, `qemu:allocation-depth`. */
  readonly contexts?: readonly string[];
  /** For a relay that lets only known clients through to the server. */
  readonly ticket?: NbdTicket;
  /** If present, TLS is required. The client always verifies the certificate. */
  readonly tls?: tls.ConnectionOptions;
  /** For all steps until the connection is ready. Default 30 s. */
  readonly handshakeTimeoutMs?: number;
  /** Ends the attempt to connect; has no effect once connected. */
  readonly signal: AbortSignal;
}

/** Features that the server announces for this export. */
export interface NbdFeatures {
  readonly flush: boolean;
  readonly fua: boolean;
  readonly trim: boolean;
  readonly writeZeroes: boolean;
  /** Connections to this export see one another's writes after a flush. */
  readonly multiConn: boolean;
  readonly structuredReplies: boolean;
}

/** One run of bytes of the export with the same flags. */
export interface NbdExtent extends BlockStatus {
  readonly offset: number;
}

interface Request {
  readonly command: CommandName;
  readonly offset: number;
  readonly length: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly target?: Uint8Array;
}

/**
 * One connection to one export. Any number of requests may be under way; replies come in the server's order.
 *
 * Every call rejects with NbdRequestError when the server refuses it, the signal's reason when that is aborted (the
 * connection stays usable), and, once the connection is dead, the NbdError that killed it: NbdConnectionError, which
 * is transient, or NbdProtocolError. The client does not touch the buffer of a settled call. Offsets and lengths are
 * bytes and must be multiples of `minBlockBytes`; the client refuses ranges past `logicalBytes` itself.
 */
export class NbdClient {
  readonly logicalBytes: number;
  readonly readOnly: boolean;
  readonly features: NbdFeatures;
  /** The metadata contexts the server granted, of those asked for. */
  readonly contexts: readonly string[];
  readonly minBlockBytes: number;
  readonly preferredBlockBytes: number;
  /** Largest read or write that travels as one request; larger ones are split. */
  readonly maxBlockBytes: number;

  readonly #socket: net.Socket;
  readonly #receiver: ReplyReceiver;
  readonly #contextNames: ReadonlyMap<number, string>;
  readonly #closed: Promise<unknown>;
  #nextCookie = 0;
  #failure: NbdError | undefined;

  /** @throws NbdConnectionError, NbdHandshakeError and its kinds, NbdProtocolError; the signal's reason */
  static async connect(options: NbdConnectOptions): Promise<NbdClient> {
    const deadline = AbortSignal.timeout(options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS);
    const signal = AbortSignal.any([options.signal, deadline]);
    const { address, exportName, contexts = [], ticket, tls } = options;
    let connected: ReadSocket | undefined;
    const hangUp = (): void => void connected?.socket.destroy();
    signal.addEventListener("abort", hangUp);
    try {
      connected = await openSocket(address, tls === undefined ? "fast" : "upgradable", signal);
      if (ticket !== undefined) await presentTicket(connected, address, ticket);
      return new NbdClient(await negotiate(connected, { address, exportName, contexts, tls }));
    } catch (error) {
      hangUp();
      options.signal.throwIfAborted();
      if (deadline.aborted) throw handshakeDeadline(address);
      throw error;
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
  }

  private constructor(connection: NegotiatedConnection) {
    const has = (flag: number): boolean => (connection.flags & flag) !== 0;
    this.logicalBytes = connection.logicalBytes;
    this.readOnly = has(TRANSMISSION.readOnly);
    this.features = {
      flush: has(TRANSMISSION.sendFlush),
      fua: has(TRANSMISSION.sendFua),
      trim: has(TRANSMISSION.sendTrim),
      writeZeroes: has(TRANSMISSION.sendWriteZeroes),
      multiConn: has(TRANSMISSION.canMultiConn),
      structuredReplies: connection.structuredReplies,
    };
    this.minBlockBytes = connection.blockSizes.minimum;
    this.preferredBlockBytes = connection.blockSizes.preferred;
    this.maxBlockBytes = connection.blockSizes.maximum;
    this.contexts = [...connection.contexts.values()];
    this.#contextNames = connection.contexts;
    this.#socket = connection.socket;
    this.#closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#receiver = new ReplyReceiver(connection.reader, connection.structuredReplies);
    this.#receiver.run().catch((error: unknown) => this.#fail(error));
  }

  /** Fills the whole buffer from `offset`. */
  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    for (const { at, length } of this.#split("read", offset, buffer.length, this.maxBlockBytes)) {
      const target = buffer.subarray(at - offset, at - offset + length);
      await this.#submit({ command: "read", offset: at, length, target }, signal);
    }
  }

  /** With `fua` the bytes are durable when this resolves. An aborted write settles once its bytes have left `data`. */
  async write(offset: number, data: Uint8Array, options: { fua?: boolean }, signal: AbortSignal): Promise<void> {
    const flags = this.#fuaFlag(options.fua);
    for (const { at, length } of this.#split("write", offset, data.length, this.maxBlockBytes)) {
      const payload = data.subarray(at - offset, at - offset + length);
      await this.#submit({ command: "write", offset: at, length, flags, payload }, signal);
    }
  }

  /** The range reads as zeros afterwards. `mayTrim` lets the server deallocate it, otherwise space stays reserved. */
  async writeZeroes(
    offset: number,
    length: number,
    options: { mayTrim?: boolean; fua?: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    this.#require(this.features.writeZeroes, "write zeroes");
    const noHole = options.mayTrim === true ? 0 : COMMAND_FLAG.noHole;
    const flags = noHole | this.#fuaFlag(options.fua);
    await this.#eachPart("writeZeroes", offset, length, flags, signal);
  }

  /** The range is no longer needed; what it reads as afterwards is not defined. */
  async trim(offset: number, length: number, signal: AbortSignal): Promise<void> {
    this.#require(this.features.trim, "trim");
    await this.#eachPart("trim", offset, length, 0, signal);
  }

  /** Every write that had resolved before is durable when this resolves. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#require(this.features.flush, "flush");
    await this.#submit({ command: "flush", offset: 0, length: 0 }, signal);
  }

  /**
   * The runs of each granted context from `offset` on, as the server answered: they may end before `length`, or the
   * last one after it, but never past the export.
   */
  async blockStatus(offset: number, length: number, signal: AbortSignal): Promise<Map<string, readonly BlockStatus[]>> {
    this.#require(this.contexts.length > 0, "block status");
    const [first] = this.#split("blockStatus", offset, length, MAX_EFFECT_BYTES);
    if (first === undefined) return new Map();
    const reply = await this.#submit({ command: "blockStatus", offset, length: first.length }, signal);
    const answers = new Map<string, readonly BlockStatus[]>();
    for (const [id, entries] of reply.statuses) {
      const name = this.#contextNames.get(id);
      if (name !== undefined) answers.set(name, clip(entries, this.logicalBytes - offset));
    }
    return answers;
  }

  /** Walks the whole export: ascending, gapless, neighbours differ in flags. */
  async *allocation(context: string, signal: AbortSignal): AsyncGenerator<NbdExtent> {
    let run: NbdExtent | undefined;
    for (let position = 0; position < this.logicalBytes;) {
      const answers = await this.blockStatus(position, this.logicalBytes - position, signal);
      const entries = answers.get(context);
      if (entries === undefined) throw new NbdProtocolError(`the server did not answer for ${context}`);
      for (const { length, flags } of entries) {
        if (run?.flags === flags) {
          run = { ...run, length: run.length + length };
        } else {
          if (run !== undefined) yield run;
          run = { offset: position, length, flags };
        }
        position += length;
      }
    }
    if (run !== undefined) yield run;
  }

  /** Disconnects and waits until the socket is closed. Requests under way reject. Never rejects. */
  async close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#send(this.#nextCookie, { command: "disconnect", offset: 0, length: 0 });
      this.#failure = new NbdConnectionError("this NBD client was closed");
      this.#receiver.rejectAll(this.#failure);
      this.#socket.end();
    }
    const impatience = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    await this.#closed;
    clearTimeout(impatience);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #eachPart(
    command: "writeZeroes" | "trim",
    offset: number,
    length: number,
    flags: number,
    signal: AbortSignal,
  ): Promise<void> {
    for (const part of this.#split(command, offset, length, MAX_EFFECT_BYTES)) {
      await this.#submit({ command, offset: part.at, length: part.length, flags }, signal);
    }
  }

  /** Splits a range into requests. @throws for what the server would refuse */
  #split(command: CommandName, offset: number, length: number, maximum: number): { at: number; length: number }[] {
    const context = { command, offset, length, logicalBytes: this.logicalBytes, minBlockBytes: this.minBlockBytes };
    const refuse = (errno: NbdErrno, why: string): NbdRequestError =>
      new NbdRequestError(errno, `NBD ${command} of ${length} bytes at ${offset}: ${why}`, { context });
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw refuse("EINVAL", "not a range of bytes");
    }
    if (offset + length > this.logicalBytes)
      throw refuse("EINVAL", `past the end of the export (${this.logicalBytes} bytes)`);
    if (offset % this.minBlockBytes !== 0 || length % this.minBlockBytes !== 0) {
      throw refuse("EINVAL", `not a multiple of the server's block size (${this.minBlockBytes})`);
    }
    if (this.readOnly && command !== "read" && command !== "blockStatus") throw refuse("EPERM", "read-only export");
    const parts = [];
    for (let at = offset; at < offset + length; at += maximum) {
      parts.push({ at, length: Math.min(maximum, offset + length - at) });
    }
    return parts;
  }

  #fuaFlag(fua = false): number {
    if (fua) this.#require(this.features.fua, "force unit access");
    return fua ? COMMAND_FLAG.fua : 0;
  }

  #require(present: boolean, what: string): void {
    if (!present) throw new NbdRequestError("ENOTSUP", `the NBD server does not offer ${what} for this export`);
  }

  async #submit(request: Request, signal: AbortSignal): Promise<PendingReply> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const cookie = this.#nextCookie++;
    const reply = new PendingReply(request.command, request.offset, request.length, request.target);
    this.#receiver.expect(cookie, reply);
    const sent = this.#send(cookie, request);
    const onAbort = (): void => this.#receiver.abandon(reply, signal.reason);
    signal.addEventListener("abort", onAbort);
    try {
      await reply.done;
      return reply;
    } finally {
      signal.removeEventListener("abort", onAbort);
      // The caller must not get its buffer back before the socket has taken the last byte of the payload.
      await sent;
    }
  }

  /** Resolves when the socket no longer refers to the payload, sent or not. */
  #send(cookie: number, { command, offset, length, flags = 0, payload }: Request): Promise<void> | undefined {
    const header = Buffer.allocUnsafe(REQUEST_BYTES);
    header.writeUInt32BE(MAGIC.request, 0);
    header.writeUInt16BE(flags, 4);
    header.writeUInt16BE(COMMAND[command], 6);
    writeUint64(header, cookie, 8);
    writeUint64(header, offset, 16);
    header.writeUInt32BE(length, 24);
    if (payload === undefined) {
      this.#socket.write(header);
      return undefined;
    }
    this.#socket.cork();
    this.#socket.write(header);
    const sent = new Promise<void>((resolve) => this.#socket.write(payload, () => resolve()));
    this.#socket.uncork();
    return sent;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof NbdError ? error : new NbdError("the NBD client failed", { cause: error });
    this.#receiver.rejectAll(this.#failure);
    this.#socket.destroy();
  }
}

function clip(entries: readonly BlockStatus[], room: number): readonly BlockStatus[] {
  const clipped = [];
  let left = room;
  for (const { length, flags } of entries) {
    if (left === 0) break;
    clipped.push({ length: Math.min(length, left), flags });
    left -= Math.min(length, left);
  }
  return clipped;
}

function handshakeDeadline(address: NbdAddress): NbdHandshakeError {
  return new NbdHandshakeError(`no NBD handshake with ${describeAddress(address)} in time`, { retry: "transient" });
}
