import type { ByteReader } from "./byte-reader.ts";
import { NbdProtocolError } from "./errors.ts";
import type { PendingReply } from "./pending-reply.ts";
import {
  CHUNK,
  CHUNK_FLAG_DONE,
  isChunkError,
  MAGIC,
  MAX_STRING_BYTES,
  SIMPLE_REPLY_BYTES,
  STRUCTURED_REPLY_BYTES,
} from "./protocol.ts";
import { readUint64 } from "./uint64.ts";

/** One million extents in one answer; QEMU stops at an eighth of it. */
const MAX_STATUS_BYTES = 4 + 8 * 2 ** 20;
const MAX_ERROR_BYTES = 4 + 2 + MAX_STRING_BYTES + 8;

/**
 * The client's receiving half: reads replies and hands each piece to its request. Payload goes straight into the buffer
 * of its read. Anything a sane server would not send is an NbdProtocolError.
 */
export class ReplyReceiver {
  readonly #reader: ByteReader;
  readonly #structured: boolean;
  readonly #pending = new Map<number, PendingReply>();
  /** The reply whose payload is arriving. */
  #filling: PendingReply | undefined;

  constructor(reader: ByteReader, structured: boolean) {
    this.#reader = reader;
    this.#structured = structured;
  }

  expect(cookie: number, reply: PendingReply): void {
    this.#pending.set(cookie, reply);
  }

  /** Rejects the reply now; discards the rest of it as it arrives. */
  abandon(reply: PendingReply, error: unknown): void {
    if (this.#filling === reply) this.#reader.discard();
    reply.reject(error);
  }

  rejectAll(error: Error): void {
    for (const reply of this.#pending.values()) this.abandon(reply, error);
    this.#pending.clear();
  }

  /** Runs until the connection ends, which always is an error: see ByteReader. */
  async run(): Promise<never> {
    const header = Buffer.alloc(STRUCTURED_REPLY_BYTES);
    const simplePart = header.subarray(0, SIMPLE_REPLY_BYTES);
    const structuredRest = header.subarray(SIMPLE_REPLY_BYTES);
    for (;;) {
      await this.#reader.fill(simplePart);
      const magic = header.readUInt32BE(0);
      // Both kinds of reply hold the cookie in the same place.
      const cookie = readUint64(header, 8);
      const reply = this.#pending.get(cookie);
      if (reply === undefined) throw new NbdProtocolError(`reply to unknown request ${cookie}`);
      if (magic === MAGIC.simpleReply) {
        await this.#readSimpleReply(reply, header.readUInt32BE(4));
      } else if (magic === MAGIC.structuredReply && this.#structured) {
        await this.#reader.fill(structuredRest);
        const flags = header.readUInt16BE(4);
        await this.#readChunk(reply, header.readUInt16BE(6), header.readUInt32BE(16));
        if ((flags & CHUNK_FLAG_DONE) === 0) continue;
        checkComplete(reply);
      } else {
        throw new NbdProtocolError("bad magic in a reply");
      }
      this.#pending.delete(cookie);
      reply.finish();
    }
  }

  async #readSimpleReply(reply: PendingReply, errno: number): Promise<void> {
    if (errno !== 0) return reply.refuse(errno, "");
    if (reply.command === "blockStatus" || (reply.command === "read" && this.#structured)) {
      throw new NbdProtocolError(`simple reply to ${reply.command} where a structured one is due`);
    }
    if (reply.command === "read") await this.#readPayload(reply, 0, reply.length);
  }

  async #readChunk(reply: PendingReply, type: number, length: number): Promise<void> {
    if (isChunkError(type)) return this.#readError(reply, type, length);
    switch (type) {
      case CHUNK.none:
        if (length !== 0) throw new NbdProtocolError("payload in an empty chunk");
        return;
      case CHUNK.offsetData:
        return this.#readOffsetData(reply, length);
      case CHUNK.offsetHole:
        return this.#readOffsetHole(reply, length);
      case CHUNK.blockStatus:
        return this.#readBlockStatus(reply, length);
      default:
        throw new NbdProtocolError(`chunk of unknown type ${type}`);
    }
  }

  async #readOffsetData(reply: PendingReply, length: number): Promise<void> {
    if (length < 9) throw new NbdProtocolError("data chunk without data");
    const start = readUint64(await this.#reader.bytes(8), 0) - reply.offset;
    cover(reply, start, length - 8);
    await this.#readPayload(reply, start, length - 8);
  }

  async #readOffsetHole(reply: PendingReply, length: number): Promise<void> {
    if (length !== 12) throw new NbdProtocolError("hole chunk of wrong length");
    const body = await this.#reader.bytes(12);
    const start = readUint64(body, 0) - reply.offset;
    const holeBytes = body.readUInt32BE(8);
    cover(reply, start, holeBytes);
    reply.target?.fill(0, start, start + holeBytes);
  }

  async #readPayload(reply: PendingReply, start: number, length: number): Promise<void> {
    if (reply.target === undefined) return this.#reader.skip(length);
    this.#filling = reply;
    await this.#reader.fill(reply.target.subarray(start, start + length));
    this.#filling = undefined;
  }

  async #readBlockStatus(reply: PendingReply, length: number): Promise<void> {
    if (reply.command !== "blockStatus") throw new NbdProtocolError(`block status in the reply to ${reply.command}`);
    if (length < 12 || length > MAX_STATUS_BYTES || (length - 4) % 8 !== 0) {
      throw new NbdProtocolError(`block status chunk of ${length} bytes`);
    }
    const body = await this.#reader.bytes(length);
    const contextId = body.readUInt32BE(0);
    if (reply.statuses.has(contextId)) throw new NbdProtocolError(`metadata context ${contextId} answered twice`);
    const entries = [];
    for (let at = 4; at < length; at += 8) {
      const entry = { length: body.readUInt32BE(at), flags: body.readUInt32BE(at + 4) };
      if (entry.length === 0) throw new NbdProtocolError("empty extent in a block status");
      entries.push(entry);
    }
    reply.statuses.set(contextId, entries);
  }

  async #readError(reply: PendingReply, type: number, length: number): Promise<void> {
    if (length < 6 || length > MAX_ERROR_BYTES) throw new NbdProtocolError(`error chunk of ${length} bytes`);
    const body = await this.#reader.bytes(length);
    const messageEnd = 6 + body.readUInt16BE(4);
    const expectedLength = type === CHUNK.errorOffset ? messageEnd + 8 : messageEnd;
    const known = type === CHUNK.error || type === CHUNK.errorOffset;
    if (messageEnd > length || (known && expectedLength !== length)) {
      throw new NbdProtocolError("error chunk whose message does not fit");
    }
    const place = type === CHUNK.errorOffset ? ` at offset ${readUint64(body, messageEnd)}` : "";
    reply.refuse(body.readUInt32BE(0), body.toString("utf8", 6, messageEnd) + place);
  }
}

function cover(reply: PendingReply, start: number, length: number): void {
  if (reply.command !== "read" || !reply.coverage.add(start, length)) {
    throw new NbdProtocolError(`data of ${length} bytes where none was asked for`, {
      context: { command: reply.command, offset: reply.offset, length: reply.length },
    });
  }
}

function checkComplete(reply: PendingReply): void {
  if (reply.failed) return;
  if (reply.command === "read" && !reply.coverage.isExact()) {
    throw new NbdProtocolError(`reply to a read of ${reply.length} bytes does not cover it exactly once`);
  }
  if (reply.command === "blockStatus" && reply.statuses.size === 0) {
    throw new NbdProtocolError("block status reply without a status");
  }
}
