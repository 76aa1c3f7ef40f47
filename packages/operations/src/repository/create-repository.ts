import { type ObjectStore, ObjectNotFoundError } from "@ovault/contract";
import { chooseEntry, createKeyFile, Repository, REPOSITORY_KEY, type EncryptionSettings } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { judgePassphrase } from "./judge-passphrase.ts";

export interface CreatedRepository {
  /** False when the repository was there before. */
  readonly created: boolean;
  readonly encryption: EncryptionSettings | undefined;
  /** Path of the key file that was made for it. */
  readonly madeKeyFile: string | null;
}

/**
 * Makes the place of a destination, where it is missing, and a repository in it, where there is none, with a new key file
 * where one is wanted and missing. A repository that is there already is opened, which proves that it can be used, and
 * left as it is.
 */
export async function createRepository(
  installation: Installation,
  name: string | undefined,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
): Promise<CreatedRepository> {
  const { encryption } = chooseEntry(installation.configuration, "destination", name).settings;
  await installation.prepareDestination(name);
  const store = await installation.store(name);
  try {
    if (await holdsRepository(store, signal)) {
      await installation.repository(name);
      return { created: false, encryption, madeKeyFile: null };
    }
    const madeKeyFile = await makeKeyFile(encryption);
    const { secret, lockDays } = await installation.access(name);
    judgePassphrase(secret, reporter);
    const repository = await Repository.create(store, {
      encryption: secret && { secret, label: "the first" },
      lockDays,
      signal,
    });
    await repository.reserve.keep(signal);
    return { created: true, encryption, madeKeyFile };
  } finally {
    await store.close();
  }
}

async function holdsRepository(store: ObjectStore, signal: AbortSignal): Promise<boolean> {
  try {
    await store.stat(REPOSITORY_KEY, { signal });
    return true;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}

async function makeKeyFile(encryption: EncryptionSettings | undefined): Promise<string | null> {
  if (encryption === undefined || !("keyFile" in encryption)) return null;
  return (await createKeyFile(encryption.keyFile)) ? encryption.keyFile : null;
}
