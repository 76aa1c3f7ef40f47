import { type ObjectStore, IntegrityError, KeyMissingError, WrongKeyError, plural } from "@ovault/contract";
import type { RepositorySettings } from "../format/settings.ts";
import { assertProved, keyKey, kindOf, type KeyDocument, unwrapKey } from "./key-document.ts";
import { keysToTry } from "./keys-to-try.ts";
import { type DamagedKey, type KeyDocuments, provedOnly, readKeyDocuments } from "./read-key-documents.ts";
import type { RepositoryKey } from "./repository-key.ts";
import type { RepositorySecret, SecretKind } from "./repository-secret.ts";
import { assertSettingsProved } from "./settings-proof.ts";

export interface UnlockOptions {
  readonly secret: RepositorySecret | undefined;
  /** The store's name in errors: "destination nas". */
  readonly title: string;
  readonly signal: AbortSignal;
}

export interface Unlocked {
  /** The master key. */
  readonly key: RepositoryKey;
  /** Id of the key that opened it. */
  readonly keyId: string;
  /** Other keys, found damaged. */
  readonly damaged: readonly DamagedKey[];
}

const SECRET_NAMES: Readonly<Record<SecretKind, string>> = { passphrase: "passphrase", "key-file": "key file" };

/** @throws KeyMissingError, WrongKeyError; IntegrityError when keys or settings were tampered with */
export async function unlock(
  store: ObjectStore,
  settings: RepositorySettings,
  { secret, title, signal }: UnlockOptions,
): Promise<Unlocked> {
  if (secret === undefined) throw keyMissing(title);
  const found = await readKeyDocuments(store, settings.id, signal);
  const { tried, skipped } = keysToTry(found.documents, secret.kind);
  for (const document of tried) {
    signal.throwIfAborted();
    const key = await unwrapKey(document, secret);
    if (key === undefined) continue;
    assertProved(document, key);
    assertSettingsProved(settings, key);
    return { key, keyId: document.id, damaged: provedOnly(found, key).damaged };
  }
  throw skipped.length > 0 ? tooManyKeys(skipped, secret.kind, title) : noKeyFits(found, secret.kind, title);
}

function keyMissing(title: string): KeyMissingError {
  return new KeyMissingError(`the repository in ${title} is encrypted, and no key was given for it`, {
    hint: "Add `encryption: { passphrase: { env: NAME } }` or `encryption: { keyFile: PATH }` to it in ovault.yaml.",
  });
}

function noKeyFits({ documents, damaged }: KeyDocuments, kind: SecretKind, title: string): Error {
  const context = { keys: documents.length, damaged: damaged.length };
  if (documents.length === 0) {
    const what = damaged.length === 0 ? "is gone" : "is gone or damaged";
    return new IntegrityError(`every key of the repository in ${title} ${what}`, {
      cause: damaged[0]?.error,
      context,
      hint: "Bring the objects under keys/ back from a copy of the destination: nothing can be read without them.",
    });
  }
  const fitting = documents.filter((document) => kindOf(document) === kind);
  const broken = damaged.length === 0 ? "" : `; ${plural(damaged.length, "key")} there cannot be read`;
  return new WrongKeyError(
    fitting.length === 0
      ? `the repository in ${title} does not open with a ${SECRET_NAMES[kind]}, but with a ${othersOf(documents)}${broken}`
      : `this ${SECRET_NAMES[kind]} does not open the repository in ${title}${broken}`,
    { context, hint: "Check `encryption` of this destination in ovault.yaml, and what it refers to." },
  );
}

function tooManyKeys(skipped: readonly KeyDocument[], kind: SecretKind, title: string): WrongKeyError {
  const [first] = skipped;
  const name = first === undefined ? "" : keyKey(first.id);
  const context = { skipped: skipped.length, key: name };
  return new WrongKeyError(
    `this ${SECRET_NAMES[kind]} opens none of the keys of the repository in ${title} that were tried; ` +
      `${plural(skipped.length, "key")} would take too long to try, such as ${name}`,
    {
      context,
      hint: "Check `encryption` of this destination in ovault.yaml. If it is right, find out what writes keys under keys/, and delete them.",
    },
  );
}

function othersOf(documents: readonly KeyDocument[]): string {
  return [...new Set(documents.map((document) => SECRET_NAMES[kindOf(document)]))].join(" or ");
}
