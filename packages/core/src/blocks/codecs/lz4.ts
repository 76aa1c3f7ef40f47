import type { Codec } from "@ovault/contract";
import { BuiltInCodec } from "./built-in-codec.ts";

/** LZ4: the plain length as 32-bit little-endian, then one LZ4 block. */
export const lz4: Codec = new BuiltInCodec(1, { name: "lz4" });
