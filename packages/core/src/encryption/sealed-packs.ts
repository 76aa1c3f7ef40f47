import type { KeyObject } from "node:crypto";

import { IntegrityError } from "@ovault/contract";
import { MisplacedPackError } from "../format/misplaced-pack-error.ts";
import { packKey } from "../format/layout.ts";
import type { DirectoryPlace, PackSeal } from "../format/protection.ts";
import { openInWorker, sealInWorker } from "../blocks/workers/block-workers.ts";
import { seal, type SealContext, TAG_BYTES, unseal } from "../blocks/aes-gcm.ts";
import type { RepositoryKey } from "./repository-key.ts";

/** Seals kept in memory, so that reading many chunks of a pack derives its key once. */
const KEPT_SEALS = 512;
const CHUNK = 0;
const DIRECTORY = 1;

/** The seals of packs; keeps the most recently used. */
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
 * Every pack has its own key, derived from its random name, and is put once; so an offset in it is a nonce that never
 * repeats.
 */
class SealedPack implements PackSeal {
  readonly version = 2;
  readonly overheadBytes = TAG_BYTES;
  readonly #name: string;
  readonly key: KeyObject;

  constructor(name: string, key: KeyObject) {
    this.#name = name;
    this.key = key;
  }

  contextOf(offset: number): SealContext {
    return { domain: CHUNK, place: offset };
  }

  seal(offset: number, encoded: Uint8Array): Promise<Uint8Array> {
    return sealInWorker(this.key, this.contextOf(offset), encoded);
  }

  async open(offset: number, stored: Uint8Array): Promise<Uint8Array> {
    const encoded = await openInWorker(this.key, this.contextOf(offset), stored);
    if (encoded === undefined) throw this.refusal(offset);
    return encoded;
  }

  sealDirectory(place: DirectoryPlace, entries: Uint8Array): Uint8Array {
    return seal(this.key, directoryContext(place), entries);
  }

  openDirectory(place: DirectoryPlace, stored: Uint8Array): Uint8Array {
    const entries = unseal(this.key, directoryContext(place), stored);
    if (entries !== undefined) return entries;
    // Its digest matches.
    const key = packKey(this.#name);
    throw new MisplacedPackError(`${key} is another pack than its name says, or was changed without the key`, {
      context: { key, offset: place.offset },
      hint: "Were packs exchanged? Under its own name it is good.",
    });
  }

  refusal(offset: number): IntegrityError {
    const key = packKey(this.#name);
    return new IntegrityError(`a chunk in ${key} is damaged, or was changed without the key`, {
      context: { key, offset },
      hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
    });
  }
}

function directoryContext({ offset, header }: DirectoryPlace): SealContext {
  return { domain: DIRECTORY, place: offset, proves: header };
}
