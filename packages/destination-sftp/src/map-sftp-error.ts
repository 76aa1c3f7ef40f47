import {
  type ErrorContext,
  StoreError,
  StoreFullError,
  StorePermissionError,
  StoreReadOnlyError,
} from "@ovault/contract";

import type { RemoteFileSystem } from "./remote-file-system.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { SftpStatusError, STATUS } from "./sftp-status.ts";

/** Free space beyond the bytes of an object below which the disk counts as full: metadata takes space too. */
const SLACK_BYTES = 64 * 1024;

export interface FailedCall {
  readonly connection: SftpConnection;
  /** The directory of the destination. */
  readonly root: string;
  /** The attempted action, to follow "cannot": "write packs/ab/abcd". */
  readonly what: string;
  /** Space that the call takes, if it changes something. */
  readonly bytes?: number;
}

/**
 * The store error for a status of the server. SFTP answers a full or read-only disk with "failure", so this looks at
 * the file system. Returns errors that are not a status unchanged.
 */
export async function mapSftpError(error: unknown, call: FailedCall): Promise<unknown> {
  if (!(error instanceof SftpStatusError)) return error;
  const { connection, root, what, bytes } = call;
  const failed = `cannot ${what} in ${root}`;
  const disk = bytes === undefined ? undefined : await lookAt(connection, root);
  const context: ErrorContext = { directory: root, status: error.status, freeBytes: disk?.freeBytes ?? null };
  switch (reasonOf(error.status, disk, bytes)) {
    case "full":
      return new StoreFullError(`${failed}: no space left on the server`, {
        cause: error,
        context,
        hint: (field) =>
          `Free space (\`ovault forget\`, then \`ovault prune\`), enlarge it, or back up to another destination with ${field("to")}.`,
      });
    case "quota":
      return new StoreFullError(`${failed}: the quota is used up`, {
        cause: error,
        context,
        hint: "Raise the quota, free space (`ovault forget`, then `ovault prune`), or back up to another destination.",
      });
    case "read-only":
      return new StoreReadOnlyError(`${failed}: it is read-only`, {
        cause: error,
        context,
        hint: "A file system that turned read-only by itself has met an error: see the kernel log of the server.",
      });
    case "permission":
      return new StorePermissionError(`${failed}: permission denied`, {
        cause: error,
        context,
        hint: "The user of the destination must own the directory and all in it, on a server that is not read-only.",
      });
    case undefined:
      return new StoreError(`${failed}: ${error.message}`, {
        cause: error,
        context,
        hint: "The server gives no reason. Its log may; a quota may be used up, or a disk fail.",
      });
  }
}

type Reason = "full" | "quota" | "read-only" | "permission";

function reasonOf(status: number, disk: RemoteFileSystem | undefined, bytes = 0): Reason | undefined {
  switch (status) {
    case STATUS.noSpace:
      return "full";
    case STATUS.quotaExceeded:
      return "quota";
    case STATUS.writeProtected:
      return "read-only";
    case STATUS.permissionDenied:
      return "permission";
    case STATUS.failure:
      if (disk?.readOnly === true) return "read-only";
      return disk !== undefined && (disk.withoutFiles || disk.freeBytes < bytes + SLACK_BYTES) ? "full" : undefined;
    default:
      return undefined;
  }
}

/** `undefined` when the server does not support it. */
async function lookAt(connection: SftpConnection, root: string): Promise<RemoteFileSystem | undefined> {
  return await connection.fileSystem(root).catch(() => undefined);
}
