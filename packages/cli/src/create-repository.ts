import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";

import { ensureRepository } from "./ensure-repository.ts";

/**
 * Makes a directory and a repository in it, where they are not there yet.
 * @returns false when the repository was there before
 */
export async function createRepository(directory: string, signal: AbortSignal): Promise<boolean> {
  await createFilesystemDestination(directory);
  const store = await FilesystemStore.open(directory);
  try {
    return await ensureRepository(store, signal);
  } finally {
    await store.close();
  }
}
