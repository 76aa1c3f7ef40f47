import { statfs } from "node:fs/promises";

import {
  type ErrorContext,
  StoreError,
  StoreFullError,
  StoreMediumError,
  StorePermissionError,
  StoreReadOnlyError,
  StoreUnavailableError,
  systemErrorCode,
} from "@ovault/contract";

export interface FailedCall {
  readonly root: string;
  /** The attempted action, to follow "cannot": "write packs/ab/abcd". */
  readonly what: string;
}

/**
 * The store error for an error of the operating system. Returns other errors unchanged.
 */
export async function mapSystemError(error: unknown, { root, what }: FailedCall): Promise<unknown> {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  const context: ErrorContext = { directory: root, errno: code };
  const failed = `cannot ${what} in ${root}`;
  switch (code) {
    case "ENOSPC":
      return new StoreFullError(`${failed}: no space left`, {
        cause: error,
        context: { ...context, freeBytes: await freeBytes(root) },
        hint: (field) =>
          `Free space (\`ovault forget\`, then \`ovault prune\`), enlarge it, or back up to another destination with ${field("to")}.`,
      });
    case "EDQUOT":
      return new StoreFullError(`${failed}: the quota is used up`, {
        cause: error,
        context: { ...context, freeBytes: await freeBytes(root) },
        hint: "Raise the quota, free space (`ovault forget`, then `ovault prune`), or back up to another destination.",
      });
    case "EROFS":
      return new StoreReadOnlyError(`${failed}: mounted read-only`, {
        cause: error,
        context,
        hint: "Mount it read-write. A file system that turned read-only by itself has met an error: see the kernel log.",
      });
    case "EACCES":
    case "EPERM":
      return new StorePermissionError(`${failed}: permission denied`, {
        cause: error,
        context,
        hint: `The user ovault runs as (uid ${process.geteuid?.() ?? "unknown"}) must own the directory and all in it.`,
      });
    case "EIO":
    case "EREMOTEIO":
      // A soft NFS mount answers this to every call while its server is gone; a disk, for a bad sector of one file.
      if ((await freeBytes(root)) === null) return unavailable(`${failed}: ${code}`, error, context);
      return new StoreMediumError(`${failed}: ${code}`, {
        cause: error,
        context,
        retry: "transient",
        hint: "The disk fails here though the rest of it answers: see the kernel log, and `ovault verify --all`.",
      });
    case "ESTALE":
    case "ETIMEDOUT":
    case "ENOTCONN":
    case "EHOSTDOWN":
    case "EHOSTUNREACH":
    case "ECONNRESET":
    case "EAGAIN":
    case "EBUSY":
    case "EINTR":
    case "ENOLCK":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return unavailable(`${failed}: ${code}`, error, context);
    default:
      return new StoreError(`${failed}: ${code}`, { cause: error, context });
  }
}

function unavailable(message: string, cause: unknown, context: ErrorContext): StoreUnavailableError {
  return new StoreUnavailableError(message, {
    cause,
    context,
    retry: "transient",
    hint: "The disk or the file server does not answer as it should: see the kernel log.",
  });
}

/** Bytes an ordinary user may still write; `null` when `statfs` fails too. */
async function freeBytes(root: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(root);
    return bavail * bsize;
  } catch {
    return null;
  }
}
