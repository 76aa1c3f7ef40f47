import { posix } from "node:path";

import { DestinationMissingError, unlessAborted } from "@ovault/contract";

import { mapSftpError } from "./map-sftp-error.ts";
import { openPool } from "./open-pool.ts";
import { RemoteRoot } from "./remote-root.ts";
import { makeDirectory } from "./remote-files.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import type { SftpSettings } from "./sftp-settings.ts";
import { isAbsence } from "./sftp-status.ts";

/**
 * Makes the directory of a new destination (0700); an existing one stays as it is. A store never makes its own root: an
 * unmounted disk of the server would silently become a directory on another one. For the same reason the parent must
 * exist.
 */
export async function createSftpDestination(settings: SftpSettings, signal: AbortSignal): Promise<void> {
  const pool = await openPool(settings);
  const { directory } = settings;
  try {
    await pool.use(signal, async (connection) => {
      try {
        await unlessAborted(make(connection, directory), signal);
      } catch (error) {
        signal.throwIfAborted();
        throw await mapSftpError(error, {
          connection,
          root: posix.dirname(directory),
          what: `create ${directory}`,
          bytes: 0,
        });
      }
    });
  } finally {
    await pool.close();
  }
}

async function make(connection: SftpConnection, directory: string): Promise<void> {
  try {
    await makeDirectory(connection, directory);
  } catch (error) {
    throw isAbsence(error) ? parentMissing(directory, error) : error;
  }
  await RemoteRoot.open(connection, directory);
}

function parentMissing(directory: string, cause: unknown): DestinationMissingError {
  return new DestinationMissingError(`cannot create ${directory}: ${posix.dirname(directory)} does not exist`, {
    cause,
    context: { directory },
    hint: "Is the disk mounted on the server? If the directory shall be elsewhere, make its parent there first.",
  });
}
