import { IntegrityError, copyOf } from "@ovault/contract";
import { DIGEST_BYTES, type ChunkId } from "../../format/digest.ts";

/** Entries of one page: a leaf covers this many blocks. */
export const PAGE_ENTRIES = 1024;

const MAGIC = "OVBM";
const VERSION = 1;
const HEADER_BYTES = 8;

/**
 * One page of a block map. Level 0 lists chunks of blocks, a higher level lists pages of the level below. `null` stands
 * for zeros only.
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

/** A page as it is stored: lookups read its bytes, which take a fifth of the memory of objects. */
export class PageView {
  readonly count: number;
  readonly #bytes: Uint8Array;
  /** Number of present entries before each byte of the bitmap. */
  readonly #presentBefore: Uint16Array;

  /**
   * @param page proved by its digest; must not change any more
   * @throws IntegrityError unless it is a page of this level with this many entries
   */
  constructor(page: Uint8Array, level: number, count: number) {
    const bytes = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
    const bitmapBytes = Math.ceil(count / 8);
    const belongs =
      bytes.byteLength >= HEADER_BYTES + bitmapBytes &&
      bytes.toString("latin1", 0, 4) === MAGIC &&
      bytes.readUInt8(4) === VERSION &&
      bytes.readUInt8(5) === level &&
      bytes.readUInt16LE(6) === count;
    if (!belongs) throw new IntegrityError("a block map page is not the one its place needs", { context: { level } });
    this.count = count;
    this.#bytes = bytes;
    this.#presentBefore = new Uint16Array(bitmapBytes);
    let present = 0;
    for (let byte = 0; byte < bitmapBytes; byte += 1) {
      this.#presentBefore[byte] = present;
      const last = byte === bitmapBytes - 1 && count % 8 !== 0 ? (1 << (count % 8)) - 1 : 0xff;
      present += bitCount(bytes.readUInt8(HEADER_BYTES + byte) & last);
    }
    if (HEADER_BYTES + bitmapBytes + present * DIGEST_BYTES !== bytes.byteLength) {
      throw new IntegrityError("a block map page has a wrong length", { context: { level } });
    }
  }

  /** A copy that belongs to the caller. */
  entry(index: number): ChunkId | null {
    const bits = this.#bytes[HEADER_BYTES + (index >> 3)] ?? 0;
    if (index >= this.count || (bits & (1 << (index & 7))) === 0) return null;
    const before = (this.#presentBefore[index >> 3] ?? 0) + bitCount(bits & ((1 << (index & 7)) - 1));
    const at = HEADER_BYTES + this.#presentBefore.length + before * DIGEST_BYTES;
    return copyOf(this.#bytes.subarray(at, at + DIGEST_BYTES));
  }

  entries(): (ChunkId | null)[] {
    return Array.from({ length: this.count }, (_, index) => this.entry(index));
  }
}

/** Set bits of one byte. */
function bitCount(byte: number): number {
  let count = 0;
  for (let left = byte; left !== 0; left &= left - 1) count += 1;
  return count;
}

/** Entries on each level, from the leaves' blocks to the root: [blocks, leaves, …, 1]. */
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

/** Entries on page number `page` of a level with `total` of them. */
export function entriesOnPage(total: number, page: number): number {
  return Math.min(PAGE_ENTRIES, total - page * PAGE_ENTRIES);
}
