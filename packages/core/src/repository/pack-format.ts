import { createHash } from "node:crypto";

import { IntegrityError } from "../errors/errors.ts";
import { copyOf } from "../util/copy-of.ts";
import { DIGEST_BYTES } from "./digest.ts";

/** What the chunks of a pack are: blocks of disks, or pages of block maps. */
export type PackKind = "data" | "pages";

/** Where one chunk lies in its pack. Offsets and lengths in bytes. */
export interface PackEntry {
  readonly id: Uint8Array;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly codec: number;
}

export const HEADER_BYTES = 16;
export const ENTRY_BYTES = 48;
export const TRAILER_BYTES = 48;
/** Largest plain chunk a reader accepts: larger figures in a directory are damage or an attack. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024;

const HEADER_MAGIC = "OVAULTPK";
const TRAILER_MAGIC = "OVAULTPE";
const VERSION = 1;
const KIND_AT = 9;
const KIND_CODES: Readonly<Record<PackKind, number>> = { data: 1, pages: 2 };

export function encodeHeader(kind: PackKind): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(HEADER_MAGIC, "latin1");
  header.writeUInt8(VERSION, 8);
  header.writeUInt8(KIND_CODES[kind], KIND_AT);
  return header;
}

export function kindCode(kind: PackKind): number {
  return KIND_CODES[kind];
}

export function kindOf(code: number, key: string): PackKind {
  if (code === KIND_CODES.data) return "data";
  if (code === KIND_CODES.pages) return "pages";
  throw new IntegrityError(`${key} holds a pack of unknown kind ${code}`, { context: { key, code } });
}

export function writeEntry(target: Buffer, at: number, entry: PackEntry): void {
  target.set(entry.id, at);
  target.writeUInt32LE(entry.offset, at + 32);
  target.writeUInt32LE(entry.storedBytes, at + 36);
  target.writeUInt32LE(entry.plainBytes, at + 40);
  target.writeUInt8(entry.codec, at + 44);
}

/** Reads one entry and refuses figures that cannot be: outside the pack's `dataEnd`, or absurdly large. */
export function readEntry(source: Buffer, at: number, dataEnd: number, key: string): PackEntry {
  const entry = {
    id: copyOf(source.subarray(at, at + DIGEST_BYTES)),
    offset: source.readUInt32LE(at + 32),
    storedBytes: source.readUInt32LE(at + 36),
    plainBytes: source.readUInt32LE(at + 40),
    codec: source.readUInt8(at + 44),
  };
  if (
    entry.offset < HEADER_BYTES ||
    entry.offset + entry.storedBytes > dataEnd ||
    entry.plainBytes === 0 ||
    entry.plainBytes > MAX_CHUNK_BYTES
  ) {
    throw new IntegrityError(`${key} lists a chunk outside its pack`, { context: { key, offset: entry.offset } });
  }
  return entry;
}

/** The directory with the trailer that proves it: what follows the last chunk of a pack. */
export function encodeDirectory(kind: PackKind, entries: readonly PackEntry[], directoryOffset: number): Uint8Array {
  const bytes = Buffer.alloc(entries.length * ENTRY_BYTES + TRAILER_BYTES);
  entries.forEach((entry, index) => writeEntry(bytes, index * ENTRY_BYTES, entry));
  const trailer = entries.length * ENTRY_BYTES;
  bytes.writeUInt32LE(entries.length, trailer);
  bytes.writeUInt32LE(directoryOffset, trailer + 4);
  bytes.set(directoryDigest(kind, bytes.subarray(0, trailer + 8)), trailer + 8);
  bytes.write(TRAILER_MAGIC, trailer + 8 + DIGEST_BYTES, "latin1");
  return bytes;
}

/** The length of a pack's directory, from its last TRAILER_BYTES. */
export function decodeTrailer(trailer: Uint8Array, packBytes: number, key: string): { count: number; offset: number } {
  const bytes = Buffer.from(trailer);
  const count = bytes.readUInt32LE(0);
  const offset = bytes.readUInt32LE(4);
  const whole = offset + count * ENTRY_BYTES + TRAILER_BYTES === packBytes && offset >= HEADER_BYTES;
  if (!whole || bytes.toString("latin1", 8 + DIGEST_BYTES) !== TRAILER_MAGIC) {
    throw new IntegrityError(`${key} does not end like a pack: it is cut short or damaged`, { context: { key } });
  }
  return { count, offset };
}

/** Reads directory and trailer as they lie in the pack, and the pack's header. */
export function decodeDirectory(
  header: Uint8Array,
  directory: Uint8Array,
  offset: number,
  key: string,
): { kind: PackKind; entries: PackEntry[] } {
  const bytes = Buffer.from(directory);
  const kind = kindOf(header[KIND_AT] ?? 0, key);
  if (Buffer.compare(header, encodeHeader(kind)) !== 0) {
    throw new IntegrityError(`${key} does not begin like a pack`, { context: { key } });
  }
  const trailer = bytes.byteLength - TRAILER_BYTES;
  const stated = bytes.subarray(trailer + 8, trailer + 8 + DIGEST_BYTES);
  if (!directoryDigest(kind, bytes.subarray(0, trailer + 8)).equals(stated)) {
    throw new IntegrityError(`the directory of ${key} does not match its digest`, { context: { key } });
  }
  const entries: PackEntry[] = [];
  for (let at = 0; at < trailer; at += ENTRY_BYTES) entries.push(readEntry(bytes, at, offset, key));
  return { kind, entries };
}

function directoryDigest(kind: PackKind, entriesAndFigures: Uint8Array): Buffer {
  return createHash("sha256").update(encodeHeader(kind)).update(entriesAndFigures).digest();
}
