import { createHash } from "node:crypto";

import { IntegrityError } from "../errors/errors.ts";
import { DIGEST_BYTES } from "./digest.ts";
import { ENTRY_BYTES, kindCode, kindOf, readEntry, writeEntry, type PackEntry, type PackKind } from "./pack-format.ts";

/** One pack as an index object lists it. */
export interface PackListing {
  readonly name: string;
  readonly kind: PackKind;
  /** Offset at which the pack's directory starts, in bytes: where the last chunk ends at the latest. */
  readonly dataEnd: number;
  readonly entries: readonly PackEntry[];
}

const MAGIC = "OVAULTIX";
const VERSION = 1;
const HEADER_BYTES = 16;
const LISTING_BYTES = 28;

/** One object that lists the chunks of many packs, so that opening a repository need not visit each pack. */
export function encodeIndex(packs: readonly PackListing[]): Uint8Array {
  const entryCount = packs.reduce((sum, pack) => sum + pack.entries.length, 0);
  const bytes = Buffer.alloc(HEADER_BYTES + packs.length * LISTING_BYTES + entryCount * ENTRY_BYTES + DIGEST_BYTES);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt8(VERSION, 8);
  bytes.writeUInt32LE(packs.length, 12);
  let at = HEADER_BYTES;
  for (const pack of packs) {
    bytes.write(pack.name, at, "hex");
    bytes.writeUInt8(kindCode(pack.kind), at + 16);
    bytes.writeUInt32LE(pack.entries.length, at + 20);
    bytes.writeUInt32LE(pack.dataEnd, at + 24);
    at += LISTING_BYTES;
    for (const entry of pack.entries) {
      writeEntry(bytes, at, entry);
      at += ENTRY_BYTES;
    }
  }
  bytes.set(createHash("sha256").update(bytes.subarray(0, at)).digest(), at);
  return bytes;
}

/** Throws IntegrityError unless every byte is as `encodeIndex` wrote it. */
export function decodeIndex(object: Uint8Array, key: string): PackListing[] {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const end = bytes.byteLength - DIGEST_BYTES;
  const proven =
    end >= HEADER_BYTES &&
    bytes.toString("latin1", 0, 8) === MAGIC &&
    bytes.readUInt8(8) === VERSION &&
    createHash("sha256").update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end));
  if (!proven) throw new IntegrityError(`${key} is not a whole index object`, { context: { key } });
  const packs: PackListing[] = [];
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(12); left > 0; left -= 1) {
    const name = bytes.toString("hex", at, at + 16);
    const kind = kindOf(bytes.readUInt8(at + 16), key);
    const count = bytes.readUInt32LE(at + 20);
    const dataEnd = bytes.readUInt32LE(at + 24);
    at += LISTING_BYTES;
    const entries: PackEntry[] = [];
    for (let entry = 0; entry < count; entry += 1, at += ENTRY_BYTES) entries.push(readEntry(bytes, at, dataEnd, key));
    packs.push({ name, kind, dataEnd, entries });
  }
  return packs;
}
