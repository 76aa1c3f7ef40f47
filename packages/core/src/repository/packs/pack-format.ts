import { createHash } from "node:crypto";

import { IntegrityError } from "@ovault/contract";
import { DIGEST_BYTES } from "../../format/digest.ts";
import { ENTRY_BYTES, HEADER_BYTES, MAX_PACK_CHUNKS, PackEntries } from "./pack-entries.ts";
import type { PackSeal } from "../../format/protection.ts";

/** What the chunks of a pack are: blocks of disks, or pages of block maps. */
export type PackKind = "data" | "pages";

/**
 * Number of packs that hold a copy of each kind of chunk. A page leads to so many chunks that it is worth a second
 * copy, which is small.
 */
export const COPIES: Readonly<Record<PackKind, number>> = { data: 1, pages: 2 };

export const TRAILER_BYTES = 48;
/** The largest object that ovault puts: a pack with a larger size is damage or an attack. */
export const MAX_PACK_BYTES = 128 * 1024 * 1024;

const HEADER_MAGIC = "OVAULTPK";
const TRAILER_MAGIC = "OVAULTPE";
/** Number of entries and offset of the directory. */
const FIGURES_BYTES = 8;
const KIND_AT = 9;
const KIND_CODES: Readonly<Record<PackKind, number>> = { data: 1, pages: 2 };

export function encodeHeader(kind: PackKind, seal: PackSeal): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(HEADER_MAGIC, "latin1");
  header.writeUInt8(seal.version, 8);
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

/** The directory and the trailer that proves it: what follows the last chunk of a pack. */
export function encodeDirectory(
  seal: PackSeal,
  header: Uint8Array,
  entries: PackEntries,
  offset: number,
): Uint8Array[] {
  const directory = seal.sealDirectory({ offset, header }, entries.bytes);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt32LE(entries.length, 0);
  trailer.writeUInt32LE(offset, 4);
  trailer.set(directoryDigest(header, directory, trailer), FIGURES_BYTES);
  trailer.write(TRAILER_MAGIC, FIGURES_BYTES + DIGEST_BYTES, "latin1");
  return [directory, trailer];
}

/** Where a pack's directory starts, from its last TRAILER_BYTES. */
export function decodeTrailer(seal: PackSeal, trailer: Uint8Array, packBytes: number, key: string): number {
  const bytes = Buffer.from(trailer);
  const count = bytes.readUInt32LE(0);
  const offset = bytes.readUInt32LE(4);
  const directoryBytes = count * ENTRY_BYTES + seal.overheadBytes;
  const possible = offset >= HEADER_BYTES && count <= MAX_PACK_CHUNKS;
  const whole = possible && offset + directoryBytes + TRAILER_BYTES === packBytes;
  if (!whole || bytes.toString("latin1", FIGURES_BYTES + DIGEST_BYTES) !== TRAILER_MAGIC) {
    throw new IntegrityError(`${key} does not end like a pack: it is cut short or damaged`, { context: { key } });
  }
  return offset;
}

/** Reads the directory that starts at `offset`, with its trailer, as they lie in the pack with this header. */
export function decodeDirectory(
  seal: PackSeal,
  header: Uint8Array,
  { offset, stored, key }: { readonly offset: number; readonly stored: Uint8Array; readonly key: string },
): { kind: PackKind; entries: PackEntries } {
  const kind = kindOf(header[KIND_AT] ?? 0, key);
  if (Buffer.compare(header, encodeHeader(kind, seal)) !== 0) {
    throw new IntegrityError(`${key} does not begin like a pack`, { context: { key } });
  }
  const directory = stored.subarray(0, -TRAILER_BYTES);
  const trailer = stored.subarray(-TRAILER_BYTES);
  const stated = trailer.subarray(FIGURES_BYTES, FIGURES_BYTES + DIGEST_BYTES);
  if (!directoryDigest(header, directory, trailer).equals(stated)) {
    throw new IntegrityError(`the directory of ${key} does not match its digest`, { context: { key } });
  }
  const bytes = seal.openDirectory({ offset, header }, directory);
  return { kind, entries: PackEntries.parse(bytes, offset, key) };
}

/** Over the directory as stored, so that damage is found without a key. */
function directoryDigest(header: Uint8Array, directory: Uint8Array, trailer: Uint8Array): Buffer {
  const figures = trailer.subarray(0, FIGURES_BYTES);
  return createHash("sha256").update(header).update(directory).update(figures).digest();
}
