import type { Codec } from "@ovault/contract";
import { BuiltInCodec } from "./built-in-codec.ts";

/** Zstandard frames at `level` (1 to 19, or negative for faster). The level is not needed to decode. */
export function zstandard(level = 1): Codec {
  return new BuiltInCodec(2, { name: "zstd", level });
}
