import { createHmac, hash, type KeyObject } from "node:crypto";

import { blake3, Blake3Hasher } from "@napi-rs/blake-hash";

import { copyOf } from "@ovault/contract";
import type { ChunkDigest } from "./chunk-digest.ts";

/** The id of a chunk with these bytes, in its own memory. Runs on this thread. */
export function digestBlock({ name, key }: ChunkDigest, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  return copyOf(name === "blake3" ? blake3Of(plain, key) : sha256Of(plain, key));
}

function sha256Of(plain: Uint8Array, key: KeyObject | undefined): Uint8Array {
  return key === undefined ? hash("sha256", plain, "buffer") : createHmac("sha256", key).update(plain).digest();
}

function blake3Of(plain: Uint8Array, key: KeyObject | undefined): Uint8Array {
  if (key === undefined) return blake3(plain);
  const bytes = key.export();
  try {
    return Blake3Hasher.newKeyed(bytes).update(plain).digestBuffer();
  } finally {
    bytes.fill(0);
  }
}
