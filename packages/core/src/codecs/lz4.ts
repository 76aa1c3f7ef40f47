import { compress, uncompress } from "lz4-napi";

import type { Codec } from "../contract/codec.ts";
import { IntegrityError } from "../errors/errors.ts";

const PREFIX_BYTES = 4;

/**
 * LZ4: the plain length as 32-bit little-endian, then one LZ4 block. Both directions run in libuv's pool.
 */
export const lz4: Codec = {
  id: 1,
  name: "lz4",
  async encode(plain) {
    const stored = await compress(plain);
    return stored.byteLength < plain.byteLength ? stored : undefined;
  },
  async decode(stored, plainBytes) {
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    // The prefix decides how much the decoder allocates, so it is checked before the decoder sees it.
    if (stored.byteLength < PREFIX_BYTES || view.getUint32(0, true) !== plainBytes) {
      throw new IntegrityError("LZ4 data announces another length than the index", { context: { plainBytes } });
    }
    let plain: Uint8Array;
    try {
      plain = await uncompress(stored);
    } catch (cause) {
      throw new IntegrityError("LZ4 data does not decode", { cause });
    }
    if (plain.byteLength !== plainBytes) {
      throw new IntegrityError("LZ4 data decodes to another length than the index says", { context: { plainBytes } });
    }
    return plain;
  },
};
