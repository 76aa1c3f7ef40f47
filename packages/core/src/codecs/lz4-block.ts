import { compressSync, uncompressSync } from "lz4-napi";

import { IntegrityError } from "../errors/errors.ts";

const PREFIX_BYTES = 4;

/** The plain length as 32-bit little-endian, then one LZ4 block. */
export function encodeLz4(plain: Uint8Array): Uint8Array {
  return compressSync(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength));
}

/** @throws IntegrityError unless exactly `plainBytes` come out of it */
export function decodeLz4(stored: Uint8Array, plainBytes: number): Uint8Array {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  // The prefix decides how much the decoder allocates, so it is checked before the decoder sees it.
  if (stored.byteLength < PREFIX_BYTES || view.getUint32(0, true) !== plainBytes) {
    throw new IntegrityError("LZ4 data announces another length than the index", { context: { plainBytes } });
  }
  let plain: Uint8Array;
  try {
    plain = uncompressSync(stored);
  } catch (cause) {
    throw new IntegrityError("LZ4 data does not decode", { cause });
  }
  if (plain.byteLength === plainBytes) return plain;
  throw new IntegrityError("LZ4 data decodes to another length than the index says", { context: { plainBytes } });
}
