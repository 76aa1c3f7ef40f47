import { createFilesystemDestination } from "@ovault/destination-filesystem";

import { assertReflinks } from "./assert-reflinks.ts";
import { draftsDirectory, imagesDirectory, objectsDirectory } from "./layout.ts";

/**
 * Makes the directory of a new destination and those in it (0700); existing ones stay as they are.
 * @throws StoreError where the file system has no reflinks
 */
export async function createSyntheticDestination(directory: string): Promise<void> {
  await createFilesystemDestination(directory);
  await createFilesystemDestination(draftsDirectory(directory));
  await assertReflinks(draftsDirectory(directory));
  await createFilesystemDestination(objectsDirectory(directory));
  await createFilesystemDestination(imagesDirectory(directory));
}
