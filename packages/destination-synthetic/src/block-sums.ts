import { crc32 } from "node:zlib";

import { IntegrityError } from "@ovault/contract";

/** Bytes of an image that one checksum is of; the last block is as long as the rest. */
export const SUM_BLOCK_BYTES = 256 * 1024;

const MAGIC = Buffer.from("OVSUMS01", "latin1");
/** Magic, SUM_BLOCK_BYTES (u32), a zero (u32), and the size of the disk (u64). */
const HEADER_BYTES = 24;
const SUM_BYTES = 4;

/**
 * What each block of an image holds: zeros, or data with this CRC-32. Finds what a disk or a bad cable changed; does
 * not resist an attacker, who could write both files.
 *
 * As a file, little-endian: a header, a bitmap with a bit for each block (1 for data, from the lowest bit of each byte),
 * the CRC-32 of each block of data, and the CRC-32 of all that.
 */
export class BlockSums {
  readonly logicalBytes: number;
  readonly blocks: number;
  readonly #isData: Uint8Array;
  readonly #sums: Uint32Array;

  private constructor(logicalBytes: number) {
    this.logicalBytes = logicalBytes;
    this.blocks = Math.ceil(logicalBytes / SUM_BLOCK_BYTES);
    this.#isData = new Uint8Array(this.blocks);
    this.#sums = new Uint32Array(this.blocks);
  }

  /** Of an image of zeros. */
  static ofZeros(logicalBytes: number): BlockSums {
    return new BlockSums(logicalBytes);
  }

  /** @throws IntegrityError when the file is damaged, or of an image of another size */
  static decode(file: Uint8Array, logicalBytes: number): BlockSums {
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    const sums = new BlockSums(logicalBytes);
    const bitmapEnd = HEADER_BYTES + Math.ceil(sums.blocks / 8);
    const intact =
      bytes.length >= bitmapEnd + SUM_BYTES &&
      crc32(bytes.subarray(0, -SUM_BYTES)) === bytes.readUInt32LE(bytes.length - SUM_BYTES) &&
      bytes.subarray(0, HEADER_BYTES).equals(headerOf(logicalBytes));
    if (!intact) throw new IntegrityError("the file of its checksums is damaged", { context: { logicalBytes } });
    let at = bitmapEnd;
    for (let block = 0; block < sums.blocks; block++) {
      if ((Number(bytes[HEADER_BYTES + (block >> 3)]) & (1 << (block & 7))) === 0) continue;
      if (at + SUM_BYTES > bytes.length - SUM_BYTES) break;
      sums.setData(block, bytes.readUInt32LE(at));
      at += SUM_BYTES;
    }
    if (at !== bytes.length - SUM_BYTES) {
      throw new IntegrityError("the file of its checksums has another length", { context: { logicalBytes } });
    }
    return sums;
  }

  encode(): Buffer {
    const bitmap = Buffer.alloc(Math.ceil(this.blocks / 8));
    const sums = Buffer.alloc(this.#isData.reduce((count, isData) => count + isData, 0) * SUM_BYTES);
    let at = 0;
    for (let block = 0; block < this.blocks; block++) {
      if (!this.isData(block)) continue;
      bitmap[block >> 3] = Number(bitmap[block >> 3]) | (1 << (block & 7));
      at = sums.writeUInt32LE(this.sumOf(block), at);
    }
    const body = Buffer.concat([headerOf(this.logicalBytes), bitmap, sums, Buffer.alloc(SUM_BYTES)]);
    body.writeUInt32LE(crc32(body.subarray(0, -SUM_BYTES)), body.length - SUM_BYTES);
    return body;
  }

  /** Those of an image that was cut or extended by zeros; of a last block whose length changes, the sum is wrong. */
  resized(logicalBytes: number): BlockSums {
    const sums = new BlockSums(logicalBytes);
    const kept = Math.min(this.blocks, sums.blocks);
    sums.#isData.set(this.#isData.subarray(0, kept));
    sums.#sums.set(this.#sums.subarray(0, kept));
    return sums;
  }

  isData(block: number): boolean {
    return this.#isData[block] === 1;
  }

  sumOf(block: number): number {
    return this.#sums[block] ?? 0;
  }

  setData(block: number, sum: number): void {
    this.#isData[block] = 1;
    this.#sums[block] = sum;
  }

  setZero(block: number): void {
    this.#isData[block] = 0;
    this.#sums[block] = 0;
  }

  /** Bytes in this block. */
  lengthOf(block: number): number {
    return Math.min(SUM_BLOCK_BYTES, this.logicalBytes - block * SUM_BLOCK_BYTES);
  }
}

function headerOf(logicalBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(SUM_BLOCK_BYTES, 8);
  header.writeBigUInt64LE(BigInt(logicalBytes), 16);
  return header;
}
