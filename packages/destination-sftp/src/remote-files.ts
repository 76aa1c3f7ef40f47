import type { FileSystem } from "@ovault/file-tree";

import type { RemoteRoot } from "./remote-root.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { SftpStatusError } from "./sftp-status.ts";

export interface RemoteFilesOptions {
  readonly root: RemoteRoot;
  /** The server lets a directory be opened and made durable. */
  readonly syncsDirectories: boolean;
}

/** The server's file system, through one connection. */
export function remoteFiles(connection: SftpConnection, { root, syncsDirectories }: RemoteFilesOptions): FileSystem {
  return {
    async kindOf(path) {
      const { kind } = await connection.stat(path);
      if (kind === "directory") return "directory";
      // Neither file nor directory: the protocol says no more.
      return kind === "other" ? "link" : "other";
    },
    makeDirectory: (path) => makeDirectory(connection, path),
    async syncDirectory(path) {
      if (syncsDirectories) await syncDirectory(connection, path);
    },
    assertPresent: () => root.assertPresent(connection),
  };
}

/** OpenSSH on Linux and BSD can; SFTP does not promise it. */
export async function syncDirectory(connection: SftpConnection, directory: string): Promise<void> {
  const handle = await connection.open(directory, "r");
  try {
    await connection.sync(handle);
  } finally {
    connection.closeInBackground(handle);
  }
}

/** Leaves an existing one as it is. */
export async function makeDirectory(connection: SftpConnection, directory: string): Promise<void> {
  try {
    await connection.makeDirectory(directory);
  } catch (error) {
    // Servers answer "failure" both when the name exists and when the disk is full.
    if (!(error instanceof SftpStatusError) || !(await isThere(connection, directory))) throw error;
  }
}

async function isThere(connection: SftpConnection, path: string): Promise<boolean> {
  return await connection.stat(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof SftpStatusError) return false;
      throw error;
    },
  );
}
