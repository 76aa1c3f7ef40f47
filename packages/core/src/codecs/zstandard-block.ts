import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

import { IntegrityError } from "../errors/errors.ts";

/** Beyond the plain length: what a frame of data that does not shrink takes at most is less. */
const ROOM_BYTES = 16 * 1024;
/** zlib takes no smaller pieces. */
const LEAST_PIECE_BYTES = 64;

/** One Zstandard frame. */
export function encodeZstandard(plain: Uint8Array, level: number): Uint8Array {
  // Room for all of it, else zlib compresses by way of pieces of 16 KiB, each copied twice.
  const chunkSize = plain.byteLength + ROOM_BYTES;
  return zstdCompressSync(plain, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: level } });
}

/** @throws IntegrityError unless exactly `plainBytes` come out of it */
export function decodeZstandard(stored: Uint8Array, plainBytes: number): Uint8Array {
  let plain: Uint8Array;
  try {
    // One byte more than expected, so that a longer result is seen without ever being large.
    const maxOutputLength = plainBytes + 1;
    const chunkSize = Math.max(LEAST_PIECE_BYTES, maxOutputLength);
    plain = zstdDecompressSync(stored, { chunkSize, maxOutputLength });
  } catch (cause) {
    throw new IntegrityError("Zstandard data does not decode", { cause });
  }
  if (plain.byteLength === plainBytes) return plain;
  throw new IntegrityError("Zstandard data decodes to another length than the index says", { context: { plainBytes } });
}
