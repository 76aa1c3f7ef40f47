import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";

export const KEY_BYTES = 32;

/**
 * The master key of a repository. It seals nothing itself: every purpose has its own key, derived by HKDF. The bytes
 * lie outside of JavaScript's memory, so that printing objects never shows them.
 */
export class RepositoryKey {
  readonly #master: KeyObject;

  private constructor(bytes: Uint8Array) {
    this.#master = hidden(bytes);
  }

  static generate(): RepositoryKey {
    return new RepositoryKey(randomBytes(KEY_BYTES));
  }

  /** Takes the bytes over and zeroes them. */
  static take(bytes: Uint8Array): RepositoryKey {
    return new RepositoryKey(bytes);
  }

  /** Lends the bytes until `use` settles. */
  async lend<T>(use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const bytes = this.#master.export();
    try {
      return await use(bytes);
    } finally {
      bytes.fill(0);
    }
  }

  /** A key for AES-256-GCM. With unique salts, every key is unique. */
  sealingKey(purpose: string, salt?: Uint8Array): KeyObject {
    return this.#derive(purpose, salt);
  }

  /** A key for keyed digests. */
  digestKey(purpose: string): KeyObject {
    return this.#derive(purpose);
  }

  /** HMAC-SHA-256 of short texts. */
  mac(purpose: string): (text: string) => Buffer {
    const key = this.#derive(purpose);
    return (text) => createHmac("sha256", key).update(text, "utf8").digest();
  }

  #derive(purpose: string, salt: Uint8Array = new Uint8Array()): KeyObject {
    return hidden(new Uint8Array(hkdfSync("sha256", this.#master, salt, `ovault ${purpose}`, KEY_BYTES)));
  }
}

/** Zeroes the bytes. */
function hidden(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
