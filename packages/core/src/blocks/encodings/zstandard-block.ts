import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

import { IntegrityError, copyInto, copyOf } from "@ovault/contract";
import { release } from "../../util/release.ts";

/** Added to the plain length: more than a frame of incompressible data adds. */
const ROOM_BYTES = 16 * 1024;
/** zlib's smallest chunk size. */
const LEAST_PIECE_BYTES = 64;

/** One Zstandard frame. Undefined when that would not be shorter. */
export function encodeZstandard(plain: Uint8Array, level: number): Uint8Array<ArrayBuffer> | undefined {
  // Room for all of it, else zlib compresses in pieces of 16 KiB, each copied twice.
  const chunkSize = plain.byteLength + ROOM_BYTES;
  const encoded = zstdCompressSync(plain, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: level } });
  // Memory allocated by zlib must not outlive this thread.
  const taken = encoded.byteLength < plain.byteLength ? copyOf(encoded) : undefined;
  release(encoded);
  return taken;
}

/**
 * Fills `plain`.
 * @throws IntegrityError unless the result has exactly its length
 */
export function decodeZstandard(stored: Uint8Array, plain: Uint8Array): void {
  const plainBytes = plain.byteLength;
  let decoded: Uint8Array;
  try {
    // One byte more than expected, so that a longer result is detected without ever being large.
    const maxOutputLength = plainBytes + 1;
    const chunkSize = Math.max(LEAST_PIECE_BYTES, maxOutputLength);
    decoded = zstdDecompressSync(stored, { chunkSize, maxOutputLength });
  } catch (cause) {
    throw new IntegrityError("Zstandard data does not decode", { cause });
  }
  if (decoded.byteLength !== plainBytes) {
    throw new IntegrityError("Zstandard data decodes to another length than the index says", {
      context: { plainBytes },
    });
  }
  copyInto(plain, decoded);
  release(decoded);
}
