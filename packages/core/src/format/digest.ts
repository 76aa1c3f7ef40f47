import { webcrypto } from "node:crypto";

/** Length of every digest, of chunks and of objects. */
export const DIGEST_BYTES = 32;

/**
 * Name of a chunk: the digest of its plain bytes, by the algorithm in the repository's settings. Always a view of its
 * own 32-byte buffer, so it can be kept and read as words.
 */
export type ChunkId = Uint8Array<ArrayBuffer>;

/** SHA-256, off the main thread (libuv's pool). `bytes` must not change until the promise settles. */
export async function digest(bytes: Uint8Array): Promise<ChunkId> {
  return new Uint8Array(await webcrypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

export function sameId(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
