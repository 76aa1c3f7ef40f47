import { posix } from "node:path";

import { inLanes, StoreError } from "@ovault/contract";

import type { RemoteFile } from "./remote-file.ts";
import type { DirectoryEntry, SftpConnection } from "./sftp-connection.ts";
import { hasStatus, isAbsence, STATUS } from "./sftp-status.ts";

/** Concurrent requests for the next names: a server answers with about a hundred. */
const READERS = 4;
/** Names that an empty answer counts as: a sane server never gives one, and a bad one could give them for ever. */
const EMPTY_ANSWER = 1000;

export interface NamedFile {
  readonly name: string;
  readonly file: RemoteFile;
}

export interface ReadOptions {
  /** Maximum number of names, including unwanted ones. */
  readonly limit: number;
  readonly wanted: (name: string) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * The wanted entries of a directory, in any order.
 * @throws the server's status; StoreError for a directory of more names than the limit, or an endless one
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
    connection.closeInBackground(handle);
  }
}

/** `undefined` for a file that was removed meanwhile. */
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
  return new StoreError(`${directory} holds more than ${limit} names, the most that ovault reads`, {
    context: { directory, limit },
    hint: "ovault never makes so many. See what they are, and move them elsewhere.",
  });
}
