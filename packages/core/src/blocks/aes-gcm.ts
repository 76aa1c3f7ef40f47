import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";

import { release } from "../util/release.ts";

/** Length that sealing adds: the authentication tag. */
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const CIPHER = "aes-256-gcm";

/** What sealed bytes are bound to. No two things are ever sealed by one key with one nonce. */
export interface SealContext {
  /** Below 2^32. Separates the purposes that one key seals for. */
  readonly domain?: number;
  /** Distinguishes what is sealed within a domain: a safe integer. */
  readonly place?: number;
  /** Authenticated but not sealed. */
  readonly proves?: Uint8Array;
}

/** AES-256-GCM, on this thread: not for blocks on the main thread. The result has memory of its own. */
export function seal(key: KeyObject, context: SealContext, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv(CIPHER, key, nonceOf(context), { authTagLength: TAG_BYTES });
  if (context.proves !== undefined) cipher.setAAD(context.proves);
  const sealed = new Uint8Array(plain.byteLength + TAG_BYTES);
  const body = cipher.update(plain);
  sealed.set(body);
  release(body);
  // GCM buffers no output: only the tag is still to come.
  cipher.final();
  sealed.set(cipher.getAuthTag(), plain.byteLength);
  return sealed;
}

/** The bytes given to `seal`, or undefined when `sealed` is not its result for this key and context. */
export function unseal(key: KeyObject, context: SealContext, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.byteLength < TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonceOf(context), { authTagLength: TAG_BYTES });
  if (context.proves !== undefined) decipher.setAAD(context.proves);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = decipher.update(sealed.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
  } catch {
    // The arguments are valid, so only the tag can be wrong.
    return undefined;
  }
  return plain;
}

function nonceOf({ domain = 0, place = 0 }: SealContext): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32LE(domain, 0);
  nonce.writeBigUInt64LE(BigInt(place), 4);
  return nonce;
}
