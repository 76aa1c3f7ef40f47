import type { ObjectStore, PutOptions } from "@ovault/contract";
import { putSettings, type RepositorySettings } from "../format/settings.ts";
import { SCRYPT_COST, type ScryptCost } from "./key-derivation.ts";
import { encodeKeyDocument, keyKey, wrapKey } from "./key-document.ts";
import { RepositoryKey } from "./repository-key.ts";
import type { RepositorySecret } from "./repository-secret.ts";
import { proveSettings } from "./settings-proof.ts";

/** The first key of a new repository. */
export interface NewEncryption {
  readonly secret: RepositorySecret;
  readonly label?: string | undefined;
  /** Cost of deriving keys from passphrases. */
  readonly cost?: ScryptCost;
}

/**
 * Like `putSettings`, for an encrypted repository with a new master key. Puts the key first: settings make a
 * repository, and without a key it could never be opened.
 */
export async function createEncrypted(
  store: ObjectStore,
  settings: RepositorySettings,
  { secret, label = "", cost = SCRYPT_COST }: NewEncryption,
  options: Omit<PutOptions, "ifAbsent">,
): Promise<boolean> {
  const key = RepositoryKey.generate();
  const document = await wrapKey({ repository: settings.id, key, secret, label, cost });
  const name = keyKey(document.id);
  await store.put(name, [encodeKeyDocument(document)], { ...options, ifAbsent: true });
  if (await putSettings(store, proveSettings(settings, key), options)) return true;
  await store.delete(name, { signal: options.signal });
  return false;
}
