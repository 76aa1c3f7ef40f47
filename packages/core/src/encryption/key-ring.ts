import { randomUUID } from "node:crypto";

import { type ObjectStore, NotFoundError, UsageError, processIdentity } from "@ovault/contract";
import { KEYS } from "../format/layout.ts";
import { acquireLease } from "../leases/lease.ts";
import type { Protection } from "../format/protection.ts";
import { retaining } from "../format/retaining.ts";
import { SCRYPT_COST, type ScryptCost } from "./key-derivation.ts";
import { encodeKeyDocument, isLabel, type KeyDocument, keyKey, kindOf, wrapKey } from "./key-document.ts";
import { keysToTry } from "./keys-to-try.ts";
import { type DamagedKey, type KeyDocuments, provedOnly, readKeyDocuments } from "./read-key-documents.ts";
import type { RepositorySecret, SecretKind } from "./repository-secret.ts";
import type { Unlocked } from "./unlock.ts";

export interface KeyRingParts {
  /** The unwrapped store. */
  readonly store: ObjectStore;
  readonly protection: Protection;
  /** Id of the repository. */
  readonly repository: string;
  readonly unlocked: Unlocked;
  readonly retainUntil: () => Date | undefined;
}

/** One way to open a repository. */
export interface KeyInfo {
  readonly id: string;
  readonly kind: SecretKind;
  /** For people. */
  readonly label: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** This key opened the repository here. */
  readonly inUse: boolean;
}

export interface KeyListing {
  /** Oldest first. */
  readonly keys: readonly KeyInfo[];
  readonly damaged: readonly DamagedKey[];
}

export interface NewKeyOptions {
  /** For people; up to 100 characters, one line. */
  readonly label?: string;
  /** For passphrases. */
  readonly cost?: ScryptCost;
  readonly signal: AbortSignal;
}

export interface RemoveKeyOptions {
  /** Required to remove the key that opened the repository here. */
  readonly evenInUse: boolean;
  readonly signal: AbortSignal;
}

const LEASE_TTL_MS = 60_000;
/** Readers accept four times as many, so that two concurrent additions do no harm. */
const MOST_KEYS = 32;

/**
 * The keys of an open encrypted repository. Each wraps the same master key with another secret, so that changing a
 * passphrase means adding one key and removing the other, and touches nothing else.
 */
export class KeyRing {
  readonly #parts: KeyRingParts;

  constructor(parts: KeyRingParts) {
    this.#parts = parts;
  }

  async list(signal: AbortSignal): Promise<KeyListing> {
    const { documents, damaged } = await this.#read(signal);
    return { keys: documents.map((document) => this.#infoOf(document)), damaged };
  }

  /**
   * Adds a key, so that another secret opens the repository.
   * @throws UsageError when there are too many keys, or trying them all would take too long
   */
  async add(secret: RepositorySecret, options: NewKeyOptions): Promise<KeyInfo> {
    const { store, repository, unlocked, retainUntil } = this.#parts;
    const { label = "", cost = SCRYPT_COST, signal } = options;
    if (!isLabel(label)) throw new UsageError("a label is one line of up to 100 characters");
    const found = await readKeyDocuments(store, repository, signal);
    const { documents, damaged } = provedOnly(found, unlocked.key);
    if (documents.length + damaged.length >= MOST_KEYS) {
      throw new UsageError(`the repository has ${MOST_KEYS} keys, and can have no more`, {
        hint: "Remove one with `ovault key remove`.",
      });
    }
    const document = await wrapKey({ repository, key: unlocked.key, secret, label, cost });
    // Opening cannot tell forged keys before it tries them, so those count too.
    const { skipped } = keysToTry([...found.documents, document], secret.kind);
    if ([...documents, document].some((own) => skipped.includes(own))) {
      throw new UsageError(
        "with this key it would take too long to try all keys of the repository: one of them would open nothing",
        {
          hint:
            "Remove keys with `ovault key remove`, first those that `ovault key list` shows as damaged; or add a key file " +
            "(`ovault key add --key-file PATH`), which takes no time to try.",
        },
      );
    }
    const parts = [encodeKeyDocument(document)];
    await store.put(keyKey(document.id), parts, { ifAbsent: true, signal, ...retaining(retainUntil()) });
    return this.#infoOf(document);
  }

  /**
   * Removes a key, so that its secret no longer opens the repository; it still opens old copies of the store. `wanted`
   * is an id or a unique prefix of one. A damaged key can be removed too. Concurrent removals wait for each other, so
   * that one key always stays.
   * @throws NotFoundError; UsageError for the last key, and for the one in use
   */
  async remove(wanted: string, { evenInUse, signal }: RemoveKeyOptions): Promise<string> {
    const { store, protection, unlocked } = this.#parts;
    const lease = await acquireLease(protection.documents(store), {
      resource: "keys",
      title: "the keys of the repository",
      holder: { runId: randomUUID(), ...processIdentity() },
      ttlMs: LEASE_TTL_MS,
      ifBusy: "wait",
      signal,
    });
    try {
      const { documents, damaged } = await this.#read(signal);
      const id = oneOf([...documents.map(({ id: known }) => known), ...damaged.map(({ key }) => idOf(key))], wanted);
      if (documents.every((document) => document.id === id)) {
        throw new UsageError(`${id} is the last key: without it the repository could never be opened again`, {
          hint: "Add another one first, with `ovault key add`.",
        });
      }
      if (id === unlocked.keyId && !evenInUse) {
        throw new UsageError(`${id} is the key that ovault.yaml opens the repository with`, {
          hint: "Let ovault.yaml refer to another key first, or say --in-use.",
        });
      }
      await lease.assertHeld(signal);
      await store.delete(keyKey(id), { signal });
      return id;
    } finally {
      await lease.release();
    }
  }

  async #read(signal: AbortSignal): Promise<KeyDocuments> {
    const { store, repository, unlocked } = this.#parts;
    const { documents, damaged } = provedOnly(await readKeyDocuments(store, repository, signal), unlocked.key);
    return { documents: documents.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)), damaged };
  }

  #infoOf(document: KeyDocument): KeyInfo {
    const { id, label, createdAt } = document;
    return { id, kind: kindOf(document), label, createdAt, inUse: id === this.#parts.unlocked.keyId };
  }
}

function idOf(key: string): string {
  return key.slice(KEYS.length);
}

function oneOf(ids: readonly string[], wanted: string): string {
  const matches = ids.filter((id) => id === wanted || id.startsWith(wanted));
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  if (ids.includes(wanted)) return wanted;
  const hint = "Run `ovault key list` to see the keys.";
  throw new NotFoundError(
    only === undefined ? `there is no key ${wanted}` : `${matches.length} keys start with ${wanted}`,
    { hint },
  );
}
