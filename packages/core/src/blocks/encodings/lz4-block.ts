import { IntegrityError } from "@ovault/contract";
import { Scratch } from "../../util/scratch.ts";
import { decompressBlock, lz4Library } from "./lz4-library.ts";

const PREFIX_BYTES = 4;

const scratch = new Scratch();

/** The plain length as 32-bit little-endian, then one LZ4 block. Undefined when that would not be shorter. */
export function encodeLz4(plain: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const mostBytes = plain.byteLength - PREFIX_BYTES - 1;
  if (mostBytes <= 0) return undefined;
  const encoded = scratch.take(PREFIX_BYTES + mostBytes);
  new DataView(encoded.buffer).setUint32(0, plain.byteLength, true);
  const bytes = lz4Library().compress(plain, encoded.subarray(PREFIX_BYTES), plain.byteLength, mostBytes);
  return bytes === 0 ? undefined : encoded.slice(0, PREFIX_BYTES + bytes);
}

/**
 * Fills `plain`.
 * @throws IntegrityError unless the result has exactly its length
 */
export function decodeLz4(stored: Uint8Array, plain: Uint8Array): void {
  const plainBytes = plain.byteLength;
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  if (stored.byteLength < PREFIX_BYTES || view.getUint32(0, true) !== plainBytes) {
    throw new IntegrityError("LZ4 data announces another length than the index", { context: { plainBytes } });
  }
  const bytes = decompressBlock(stored.subarray(PREFIX_BYTES), plain);
  if (bytes < 0) throw new IntegrityError("LZ4 data does not decode", { context: { plainBytes } });
  if (bytes === plainBytes) return;
  throw new IntegrityError("LZ4 data decodes to another length than the index says", { context: { plainBytes } });
}
