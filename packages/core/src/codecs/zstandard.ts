import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";

import type { Codec } from "../contract/codec.ts";
import { IntegrityError } from "../errors/errors.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Zstandard frames at `level` (1 to 19, or negative for faster). The level is not needed to decode. */
export function zstandard(level = 1): Codec {
  return {
    id: 2,
    name: "zstd",
    async encode(plain) {
      const stored = await compress(plain, { params: { [constants.ZSTD_c_compressionLevel]: level } });
      return stored.byteLength < plain.byteLength ? stored : undefined;
    },
    async decode(stored, plainBytes) {
      let plain: Uint8Array;
      try {
        // One byte more than expected, so that a longer result is seen without ever being large.
        plain = await decompress(stored, { maxOutputLength: plainBytes + 1 });
      } catch (cause) {
        throw new IntegrityError("Zstandard data does not decode", { cause });
      }
      if (plain.byteLength !== plainBytes) {
        throw new IntegrityError("Zstandard data decodes to another length than the index says", {
          context: { plainBytes },
        });
      }
      return plain;
    },
  };
}
