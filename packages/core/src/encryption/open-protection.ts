import { type ObjectStore, NotEncryptedError, UsageError } from "@ovault/contract";
import { plainProtection, type Protection } from "../format/protection.ts";
import { retentionEnd } from "../format/retaining.ts";
import { readSettings, type RepositorySettings } from "../format/settings.ts";
import { encryptedProtection } from "./encrypted-protection.ts";
import { KeyRing } from "./key-ring.ts";
import type { DamagedKey } from "./read-key-documents.ts";
import type { RepositorySecret } from "./repository-secret.ts";
import { unlock } from "./unlock.ts";

/** What opening a repository needs. */
export interface RepositoryAccess {
  /** For encrypted repositories only. */
  readonly secret?: RepositorySecret | undefined;
  /** The store's name in errors: "destination nas". */
  readonly title?: string | undefined;
  /** How long the store shall lock new objects; for stores with `retention`. */
  readonly lockDays?: number | undefined;
  readonly signal: AbortSignal;
}

export interface OpenedProtection {
  readonly protection: Protection;
  /** Present in an encrypted repository. */
  readonly keys: KeyRing | undefined;
  /** Keys found damaged. */
  readonly damaged: readonly DamagedKey[];
}

/**
 * Opens a repository's protection, with a secret or without. With a secret it never opens an unencrypted repository,
 * which may have been put in the place of the right one.
 * @throws EncryptionKeyError and its kinds; IntegrityError when keys or settings were tampered with
 */
export async function openProtection(
  store: ObjectStore,
  settings: RepositorySettings,
  { secret, title = "the destination", lockDays, signal }: RepositoryAccess,
): Promise<OpenedProtection> {
  if (settings.encryption === undefined) {
    if (secret === undefined) return { protection: plainProtection(settings.digest), keys: undefined, damaged: [] };
    throw new NotEncryptedError(`the repository in ${title} is not encrypted, but a key was given for it`, {
      hint: "If that is as you made it, take `encryption` away from it in ovault.yaml. If not, it has been replaced.",
    });
  }
  const unlocked = await unlock(store, settings, { secret, title, signal });
  const protection = encryptedProtection(unlocked.key, settings.digest);
  const retainUntil = (): Date | undefined => retentionEnd(lockDays);
  return {
    protection,
    keys: new KeyRing({ store, protection, repository: settings.id, unlocked, retainUntil }),
    damaged: unlocked.damaged,
  };
}

/**
 * The keys of the encrypted repository in a store, without loading its index.
 * @throws UsageError when it is not encrypted; otherwise as `openProtection`
 */
export async function openKeyRing(store: ObjectStore, access: RepositoryAccess): Promise<KeyRing> {
  const { keys } = await openProtection(store, await readSettings(store, access), access);
  if (keys !== undefined) return keys;
  throw new UsageError(`the repository in ${access.title ?? "the destination"} is not encrypted: it has no keys`, {
    hint: "Encryption is chosen when a repository is made: `ovault init --encrypt`.",
  });
}
