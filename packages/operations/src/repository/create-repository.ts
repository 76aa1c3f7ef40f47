import { DestinationMissingError, type ObjectStore, ObjectNotFoundError } from "@ovault/contract";
import { chooseEntry, createKeyFile, Repository, REPOSITORY_KEY, type EncryptionSettings } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { judgePassphrase } from "./judge-passphrase.ts";

export interface CreatedRepository {
  /** Some destinations hold whole images in place of a repository. */
  readonly content: "repository" | "images";
  /** False when the repository existed before. */
  readonly created: boolean;
  readonly encryption: EncryptionSettings | undefined;
  /** Path of the newly created key file, if any. */
  readonly madeKeyFile: string | null;
}

/**
 * Creates a destination's place and repository where they are missing, with a new key file if wanted and missing. Opens
 * an existing repository, which proves that it is usable, and leaves it unchanged.
 */
export async function createRepository(
  installation: Installation,
  name: string | undefined,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
): Promise<CreatedRepository> {
  if ((await installation.contentOf(name)) === "images") return await createPlaceOfImages(installation, name, signal);
  const { encryption } = chooseEntry(installation.configuration, "destination", name).settings;
  await installation.prepareDestination(name);
  const store = await installation.store(name);
  try {
    if (await holdsRepository(store, signal)) {
      await installation.repository(name);
      return { content: "repository", created: false, encryption, madeKeyFile: null };
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
    return { content: "repository", created: true, encryption, madeKeyFile };
  } finally {
    await store.close();
  }
}

async function createPlaceOfImages(
  installation: Installation,
  name: string | undefined,
  signal: AbortSignal,
): Promise<CreatedRepository> {
  const created = !(await isThere(installation, name));
  await installation.prepareDestination(name);
  // Once it has an id, points can also be copied from it where it is read-only.
  await (await installation.points(name)).identify(signal);
  return { content: "images", created, encryption: undefined, madeKeyFile: null };
}

async function isThere(installation: Installation, name: string | undefined): Promise<boolean> {
  try {
    await installation.points(name);
    return true;
  } catch (error) {
    if (error instanceof DestinationMissingError) return false;
    throw error;
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
