import { webcrypto } from "node:crypto";

export type SealingKey = webcrypto.CryptoKey;

/** What sealing adds to the bytes: the proof that they are as they were. */
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_MISMATCH = "OperationError";

/** Where sealed bytes belong. No two things are ever sealed by one key with one nonce. */
export interface SealContext {
  /** Below 2^32. Tells apart what one key seals for different ends. */
  readonly domain?: number;
  /** Tells apart what is sealed within a domain: a safe integer. */
  readonly place?: number;
  /** Not sealed itself, but proved with it. */
  readonly proves?: Uint8Array;
}

/** AES-256-GCM off the main thread. `plain` must not change until the promise settles. */
export async function seal(key: SealingKey, context: SealContext, plain: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.encrypt(parameters(context), key, plain as Uint8Array<ArrayBuffer>));
}

/** What `seal` was given, or undefined when `sealed` is not its result for this key and context. */
export async function unseal(
  key: SealingKey,
  context: SealContext,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await webcrypto.subtle.decrypt(parameters(context), key, sealed as Uint8Array<ArrayBuffer>));
  } catch (error) {
    if (error instanceof DOMException && error.name === TAG_MISMATCH) return undefined;
    throw error;
  }
}

function parameters({ domain = 0, place = 0, proves }: SealContext): webcrypto.AesGcmParams {
  const iv = Buffer.alloc(NONCE_BYTES);
  iv.writeUInt32LE(domain, 0);
  iv.writeBigUInt64LE(BigInt(place), 4);
  const additionalData = proves as Uint8Array<ArrayBuffer> | undefined;
  return { name: "AES-GCM", iv, ...(additionalData !== undefined && { additionalData }) };
}
