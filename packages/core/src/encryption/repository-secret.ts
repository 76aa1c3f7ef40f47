export type SecretKind = "passphrase" | "key-file";

/**
 * The secret that opens an encrypted repository. Printing it shows nothing, and it belongs in no error, log or command
 * line.
 */
export class RepositorySecret {
  readonly kind: SecretKind;
  readonly #bytes: Uint8Array;

  private constructor(kind: SecretKind, bytes: Uint8Array) {
    this.kind = kind;
    this.#bytes = bytes;
  }

  /** Normalized: the same letters are the same passphrase, however a keyboard or a file composes them. */
  static passphrase(text: string): RepositorySecret {
    return new RepositorySecret("passphrase", Buffer.from(text.normalize("NFC"), "utf8"));
  }

  /** The random bytes that a key file holds. */
  static keyFile(bytes: Uint8Array): RepositorySecret {
    return new RepositorySecret("key-file", bytes);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}
