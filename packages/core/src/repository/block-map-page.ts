import { IntegrityError } from "../errors/errors.ts";
import { copyOf } from "../util/copy-of.ts";
import { DIGEST_BYTES, type ChunkId } from "./digest.ts";

/** Entries of one page: a leaf covers this many blocks. */
export const PAGE_ENTRIES = 1024;

const MAGIC = "OVBM";
const VERSION = 1;
const HEADER_BYTES = 8;

/**
 * One page of a block map. Level 0 lists chunks of blocks, a higher level lists pages of the level below. `null` stands
 * for nothing but zeros.
 */
export interface BlockMapPage {
  readonly level: number;
  readonly entries: readonly (ChunkId | null)[];
}

export function encodePage({ level, entries }: BlockMapPage): Uint8Array {
  const bitmapBytes = Math.ceil(entries.length / 8);
  const present = entries.reduce((count, entry) => count + (entry === null ? 0 : 1), 0);
  const bytes = Buffer.alloc(HEADER_BYTES + bitmapBytes + present * DIGEST_BYTES);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt8(VERSION, 4);
  bytes.writeUInt8(level, 5);
  bytes.writeUInt16LE(entries.length, 6);
  let at = HEADER_BYTES + bitmapBytes;
  entries.forEach((entry, index) => {
    if (entry === null) return;
    const byte = HEADER_BYTES + (index >> 3);
    bytes.writeUInt8(bytes.readUInt8(byte) | (1 << (index & 7)), byte);
    bytes.set(entry, at);
    at += DIGEST_BYTES;
  });
  return bytes;
}

/** `page` was proved by its digest; this checks that it is the page that belongs here. */
export function decodePage(page: Uint8Array, level: number, count: number): BlockMapPage {
  const bytes = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  const bitmapBytes = Math.ceil(count / 8);
  const belongs =
    bytes.byteLength >= HEADER_BYTES + bitmapBytes &&
    bytes.toString("latin1", 0, 4) === MAGIC &&
    bytes.readUInt8(4) === VERSION &&
    bytes.readUInt8(5) === level &&
    bytes.readUInt16LE(6) === count;
  if (!belongs) throw new IntegrityError("a block map page is not the one its place needs", { context: { level } });
  const entries: (ChunkId | null)[] = [];
  let at = HEADER_BYTES + bitmapBytes;
  for (let index = 0; index < count; index += 1) {
    const present = (bytes.readUInt8(HEADER_BYTES + (index >> 3)) & (1 << (index & 7))) !== 0;
    entries.push(present ? copyOf(bytes.subarray(at, at + DIGEST_BYTES)) : null);
    if (present) at += DIGEST_BYTES;
  }
  if (at !== bytes.byteLength) throw new IntegrityError("a block map page has a wrong length", { context: { level } });
  return { level, entries };
}

/** Entries on each level, leaves' blocks first, root last: [blocks, leaves, …, 1]. */
export function pageCounts(blockCount: number): number[] {
  const counts = [blockCount];
  let pages = Math.ceil(blockCount / PAGE_ENTRIES);
  counts.push(pages);
  while (pages > 1) {
    pages = Math.ceil(pages / PAGE_ENTRIES);
    counts.push(pages);
  }
  return counts;
}

/** Entries that page number `page` holds of a level with `total` of them. */
export function entriesOnPage(total: number, page: number): number {
  return Math.min(PAGE_ENTRIES, total - page * PAGE_ENTRIES);
}
