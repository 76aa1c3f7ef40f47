import type { Writable } from "node:stream";

const LAST = 0x80_00_00_00;
const [CALL, REPLY] = [0, 1];
const RPC_VERSION = 2;
export const AUTH_SYS = 1;
/** Words from the start of a call to its credentials. */
const CREDENTIALS_AT = 24;
const ACCEPTED_WORDS = [REPLY, 0, 0, 0, 0];

/** A call of ONC RPC (RFC 5531). */
export interface RpcCall {
  readonly id: number;
  readonly program: number;
  readonly procedure: number;
  /** With the verifier. */
  readonly credentials: Buffer;
  readonly args: Buffer;
}

/** Splits a TCP stream into records (RFC 5531 section 11). */
export class RecordSplitter {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Header of the fragment that comes in; undefined before it is there. */
  #header: number | undefined;
  #fragments: Buffer[] = [];

  /** The records that end in this piece. */
  *accept(piece: Buffer): Generator<Buffer> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    for (;;) {
      const header = this.#header;
      if (header === undefined) {
        if (this.#bytes < 4) return;
        this.#header = this.#take(4).readUInt32BE(0);
        continue;
      }
      if (this.#bytes < header % LAST) return;
      this.#fragments.push(this.#take(header % LAST));
      this.#header = undefined;
      if (header < LAST) continue;
      const [only, ...more] = this.#fragments;
      yield only !== undefined && more.length === 0 ? only : Buffer.concat(this.#fragments);
      this.#fragments = [];
    }
  }

  /** The next bytes, which are there; puts pieces together only now, so that each byte is copied once. */
  #take(bytes: number): Buffer {
    const [first] = this.#pieces;
    const all = first !== undefined && first.length >= bytes ? first : Buffer.concat(this.#pieces);
    const later = all === first ? this.#pieces.slice(1) : [];
    const rest = all.subarray(bytes);
    this.#pieces = rest.length === 0 ? later : [rest, ...later];
    this.#bytes -= bytes;
    return all.subarray(0, bytes);
  }
}

/** Writes a record to a TCP stream, in one fragment. */
export function writeRecord(stream: Writable, record: Buffer): void {
  stream.cork();
  stream.write(words((record.length | LAST) >>> 0));
  stream.write(record);
  stream.uncork();
}

export function readCall(record: Buffer): RpcCall {
  const verifierAt = CREDENTIALS_AT + 8 + padded(record.readUInt32BE(CREDENTIALS_AT + 4));
  const argsAt = verifierAt + 8 + padded(record.readUInt32BE(verifierAt + 4));
  return {
    id: record.readUInt32BE(0),
    program: record.readUInt32BE(12),
    procedure: record.readUInt32BE(20),
    credentials: record.subarray(CREDENTIALS_AT, argsAt),
    args: record.subarray(argsAt),
  };
}

/** Changes whose a call is, where it says so by AUTH_SYS. */
export function actAs(record: Buffer, uid: number, gid: number): void {
  if (record.readUInt32BE(CREDENTIALS_AT) !== AUTH_SYS) return;
  const nameAt = CREDENTIALS_AT + 12;
  const uidAt = nameAt + 4 + padded(record.readUInt32BE(nameAt));
  record.writeUInt32BE(uid, uidAt);
  record.writeUInt32BE(gid, uidAt + 4);
}

/** A call of version 3 of a program. */
export function writeCall({ id, program, procedure, credentials, args }: RpcCall): Buffer {
  return Buffer.concat([words(id, CALL, RPC_VERSION, program, 3, procedure), credentials, args]);
}

export function writeReply(id: number, results: Buffer): Buffer {
  return Buffer.concat([words(id, ...ACCEPTED_WORDS), results]);
}

/** The results of a call that the server has accepted and carried out; `undefined` for others. */
export function resultsOf(reply: Buffer): Buffer | undefined {
  if (reply.length < 24 || reply.readUInt32BE(8) !== 0) return undefined;
  const statusAt = 20 + padded(reply.readUInt32BE(16));
  return reply.readUInt32BE(statusAt) === 0 ? reply.subarray(statusAt + 4) : undefined;
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

/** A counted, padded sequence of bytes. */
export function opaque(bytes: Uint8Array): Buffer {
  return Buffer.concat([words(bytes.length), bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]);
}

/** The counted bytes at the start of these. */
export function readOpaque(bytes: Buffer): Buffer {
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0));
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
