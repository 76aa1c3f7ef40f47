import { posix } from "node:path";

import { inLanes, StoreError } from "@ovault/contract";

import type { RemoteFile } from "./remote-file.ts";
import type { DirectoryEntry, SftpConnection } from "./sftp-connection.ts";
import { hasStatus, isAbsence, STATUS } from "./sftp-status.ts";

/** Who ask for the next names at the same time: a server gives a hundred or so at once. */
const READERS = 4;
/** Counts as so many names: servers have no reason to give one, and a bad one could give them for ever. */
const EMPTY_ANSWER = 1000;

export interface NamedFile {
  readonly name: string;
  readonly file: RemoteFile;
}

export interface ReadOptions {
  /** Names in it at most, the unwanted ones too. */
  readonly limit: number;
  readonly wanted: (name: string) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * The wanted ones of what a directory holds, in no order.
 * @throws what the server said; StoreError for a directory of more names than the limit, which may be one that never ends
 */
export async function readDirectory(
  connection: SftpConnection,
  directory: string,
  { limit, wanted, signal }: ReadOptions,
): Promise<NamedFile[]> {
  const found: NamedFile[] = [];
  let names = 0;
  const handle = await connection.openDirectory(directory);
  const readToEnd = async (): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      const entries = await connection.readDirectory(handle).catch(undefinedAtEnd);
      if (entries === undefined) return;
      names += entries.length > 0 ? entries.length : EMPTY_ANSWER;
      if (names > limit) throw tooLarge(directory, limit);
      for (const entry of entries) {
        const file = wanted(entry.name) ? await fileOf(connection, directory, entry) : undefined;
        if (file !== undefined) found.push({ name: entry.name, file });
      }
    }
  };
  try {
    await inLanes(Array(READERS).keys(), READERS, readToEnd);
    return found;
  } finally {
    connection.closeUnheeded(handle);
  }
}

/** Undefined for what was removed meanwhile. */
async function fileOf(
  connection: SftpConnection,
  directory: string,
  { name, file }: DirectoryEntry,
): Promise<RemoteFile | undefined> {
  if (file !== undefined) return file;
  return await connection.stat(posix.join(directory, name)).catch((error: unknown) => {
    if (!isAbsence(error)) throw error;
    return undefined;
  });
}

function undefinedAtEnd(error: unknown): undefined {
  if (!hasStatus(error, STATUS.endOfFile)) throw error;
}

function tooLarge(directory: string, limit: number): StoreError {
  return new StoreError(`${directory} holds more than the ${limit} names that ovault bears`, {
    context: { directory, limit },
    hint: "ovault never makes so many. See what they are, and move them elsewhere.",
  });
}
