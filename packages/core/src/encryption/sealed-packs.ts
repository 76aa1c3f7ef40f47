import { IntegrityError } from "../errors/errors.ts";
import { packKey } from "../repository/layout.ts";
import type { DirectoryPlace, PackSeal } from "../repository/protection.ts";
import { seal, type SealContext, type SealingKey, TAG_BYTES, unseal } from "./aes-gcm.ts";
import type { RepositoryKey } from "./repository-key.ts";

/** Seals that are kept at hand, so that reading many chunks of a pack derives its key once. */
const KEPT_SEALS = 512;
const CHUNK = 0;
const DIRECTORY = 1;

/** The seals of packs; those used last are kept. */
export class SealedPacks {
  readonly #key: RepositoryKey;
  readonly #seals = new Map<string, PackSeal>();

  constructor(key: RepositoryKey) {
    this.#key = key;
  }

  sealOf(name: string): PackSeal {
    const made = this.#seals.get(name) ?? new SealedPack(name, this.#key.sealingKey(`pack ${name}`));
    this.#seals.delete(name);
    this.#seals.set(name, made);
    for (const oldest of this.#seals.keys()) {
      if (this.#seals.size <= KEPT_SEALS) break;
      this.#seals.delete(oldest);
    }
    return made;
  }
}

/**
 * Every pack has a key of its own, from its random name, and is put once; so where something starts in it makes a nonce
 * that never comes twice.
 */
class SealedPack implements PackSeal {
  readonly version = 2;
  readonly overheadBytes = TAG_BYTES;
  readonly #name: string;
  readonly #key: SealingKey;

  constructor(name: string, key: SealingKey) {
    this.#name = name;
    this.#key = key;
  }

  seal(offset: number, encoded: Uint8Array): Promise<Uint8Array> {
    return seal(this.#key, { domain: CHUNK, place: offset }, encoded);
  }

  open(offset: number, stored: Uint8Array): Promise<Uint8Array> {
    return this.#open("a chunk", { domain: CHUNK, place: offset }, stored);
  }

  sealDirectory({ offset, header }: DirectoryPlace, entries: Uint8Array): Promise<Uint8Array> {
    return seal(this.#key, { domain: DIRECTORY, place: offset, proves: header }, entries);
  }

  openDirectory({ offset, header }: DirectoryPlace, stored: Uint8Array): Promise<Uint8Array> {
    return this.#open("the directory", { domain: DIRECTORY, place: offset, proves: header }, stored);
  }

  async #open(what: string, context: SealContext, stored: Uint8Array): Promise<Uint8Array> {
    const plain = await unseal(this.#key, context, stored);
    if (plain !== undefined) return plain;
    const key = packKey(this.#name);
    throw new IntegrityError(`${what} in ${key} is damaged, or was changed by somebody without the key`, {
      context: { key, offset: context.place ?? 0 },
      hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
    });
  }
}
