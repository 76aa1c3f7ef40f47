import type { Writable } from "node:stream";

import type { BlockStatus } from "./pending-reply.ts";
import {
  CHUNK,
  CHUNK_FLAG_DONE,
  ERRNO,
  MAGIC,
  MAX_STRING_BYTES,
  SIMPLE_REPLY_BYTES,
  STRUCTURED_REPLY_BYTES,
  type NbdErrno,
} from "./protocol.ts";

/**
 * The server's sending half. Each method sends one whole reply and resolves when the socket has taken it or is dead.
 */
export class ReplyWriter {
  readonly #stream: Writable;
  readonly #structured: boolean;

  constructor(stream: Writable, structured: boolean) {
    this.#stream = stream;
    this.#structured = structured;
  }

  done(cookie: Buffer): Promise<void> {
    return this.#send(this.#structured ? chunk(cookie, CHUNK.none, 0, true) : simple(cookie, 0));
  }

  data(cookie: Buffer, offset: number, data: Buffer): Promise<void> {
    if (!this.#structured) return this.#send(simple(cookie, 0), data);
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(BigInt(offset));
    return this.#send(chunk(cookie, CHUNK.offsetData, 8 + data.length, true), place, data);
  }

  blockStatus(cookie: Buffer, answers: ReadonlyMap<number, readonly BlockStatus[]>): Promise<void> {
    const parts: Buffer[] = [];
    let left = answers.size;
    for (const [id, runs] of answers) {
      const body = Buffer.alloc(4 + 8 * runs.length);
      body.writeUInt32BE(id, 0);
      for (const [index, { length, flags }] of runs.entries()) {
        body.writeUInt32BE(length, 4 + 8 * index);
        body.writeUInt32BE(flags, 8 + 8 * index);
      }
      left -= 1;
      parts.push(chunk(cookie, CHUNK.blockStatus, body.length, left === 0), body);
    }
    return this.#send(...parts);
  }

  error(cookie: Buffer, errno: NbdErrno, message: string): Promise<void> {
    if (!this.#structured) return this.#send(simple(cookie, ERRNO[errno]));
    const text = Buffer.from(message, "utf8").subarray(0, MAX_STRING_BYTES);
    const body = Buffer.alloc(6);
    body.writeUInt32BE(ERRNO[errno], 0);
    body.writeUInt16BE(text.length, 4);
    return this.#send(chunk(cookie, CHUNK.error, body.length + text.length, true), body, text);
  }

  #send(...parts: readonly Buffer[]): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.cork();
      for (const part of parts.slice(0, -1)) this.#stream.write(part);
      this.#stream.write(parts.at(-1) ?? Buffer.alloc(0), () => resolve());
      this.#stream.uncork();
    });
  }
}

function simple(cookie: Buffer, errno: number): Buffer {
  const header = Buffer.alloc(SIMPLE_REPLY_BYTES);
  header.writeUInt32BE(MAGIC.simpleReply, 0);
  header.writeUInt32BE(errno, 4);
  cookie.copy(header, 8);
  return header;
}

function chunk(cookie: Buffer, type: number, length: number, last: boolean): Buffer {
  const header = Buffer.alloc(STRUCTURED_REPLY_BYTES);
  header.writeUInt32BE(MAGIC.structuredReply, 0);
  header.writeUInt16BE(last ? CHUNK_FLAG_DONE : 0, 4);
  header.writeUInt16BE(type, 6);
  cookie.copy(header, 8);
  header.writeUInt32BE(length, 16);
  return header;
}
