import { hasCode, Repository, type ObjectStore } from "@ovault/core";

/**
 * Makes a repository in a store. One that is there already is opened, which proves that it can be used, and left as it
 * is.
 * @returns false when the repository was there before
 */
export async function ensureRepository(store: ObjectStore, signal: AbortSignal): Promise<boolean> {
  if (await holdsRepository(store, signal)) return false;
  await Repository.create(store, { signal });
  return true;
}

async function holdsRepository(store: ObjectStore, signal: AbortSignal): Promise<boolean> {
  try {
    await Repository.open(store, { signal });
    return true;
  } catch (error) {
    if (hasCode(error, "E_NOT_A_REPOSITORY")) return false;
    throw error;
  }
}
