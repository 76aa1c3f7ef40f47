import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { DestinationMissingError, systemErrorCode, syncDirectory } from "@ovault/contract";

import { LocalFiles } from "./local-files.ts";
import { mapSystemError } from "./map-system-error.ts";

/**
 * Makes the directory of a new destination (0700); an existing one stays as it is. Only `ovault init` and
 * `ovault destination init` call this: a store never makes its own root, or an unmounted NFS share would silently
 * become a local directory. For the same reason the parent must exist.
 */
export async function createFilesystemDestination(directory: string): Promise<void> {
  const root = resolve(directory);
  try {
    await mkdir(root, { mode: 0o700 });
    await syncDirectory(dirname(root));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST") return void (await LocalFiles.open(root));
    if (code === "ENOENT") throw parentMissing(root, error);
    throw await mapSystemError(error, { root, what: `create ${root}` });
  }
}

function parentMissing(root: string, cause: unknown): DestinationMissingError {
  return new DestinationMissingError(`cannot create ${root}: ${dirname(root)} does not exist`, {
    cause,
    context: { directory: root },
    hint: "Is the share mounted? If it shall be a local directory, make its parent first.",
  });
}
