import { hasCode, Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";

/**
 * Makes a directory and a repository in it. One that is there already is opened, which proves that it can be used, and
 * left as it is.
 * @returns false when the repository was there before
 */
export async function createRepository(directory: string, signal: AbortSignal): Promise<boolean> {
  await createFilesystemDestination(directory);
  const store = await FilesystemStore.open(directory);
  try {
    if (await holdsRepository(store, signal)) return false;
    await Repository.create(store, { signal });
    return true;
  } finally {
    await store.close();
  }
}

async function holdsRepository(store: FilesystemStore, signal: AbortSignal): Promise<boolean> {
  try {
    await Repository.open(store, { signal });
    return true;
  } catch (error) {
    if (hasCode(error, "E_NOT_A_REPOSITORY")) return false;
    throw error;
  }
}
