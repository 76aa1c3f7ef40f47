import { randomBytes, randomUUID } from "node:crypto";

import type { Codec, ObjectStore } from "@ovault/contract";
import { type KeyRing, openKeyRing, Repository, RepositorySecret } from "@ovault/core";

import { createEncrypted } from "@ovault/core/internal/encryption/create-encrypted";
import { never } from "./take-point.ts";

/** A passphrase that costs nothing to try. */
export const CHEAP = { N: 2, r: 1, p: 1 };

export function newKeyFile(): RepositorySecret {
  return RepositorySecret.keyFile(randomBytes(32));
}

/** As `smallRepository`, encrypted. */
export async function smallEncrypted(
  store: ObjectStore,
  secret: RepositorySecret,
  { blockBytes = 1024, codec }: { readonly blockBytes?: number; readonly codec?: Codec } = {},
): Promise<Repository> {
  const settings = { id: randomUUID(), blockBytes, createdAt: new Date().toISOString(), digest: "blake3" as const };
  await createEncrypted(store, settings, { secret, label: "first", cost: CHEAP }, { signal: never });
  return reopenEncrypted(store, secret, codec);
}

export function reopenEncrypted(store: ObjectStore, secret?: RepositorySecret, codec?: Codec): Promise<Repository> {
  return Repository.open(store, { secret, packBytes: 4096, signal: never, ...(codec !== undefined && { codec }) });
}

export function ringOf(store: ObjectStore, secret: RepositorySecret): Promise<KeyRing> {
  return openKeyRing(store, { secret, title: "destination nas", signal: never });
}
