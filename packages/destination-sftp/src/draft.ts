import { randomUUID } from "node:crypto";
import { posix } from "node:path";

import { inLanes } from "@ovault/contract";

import { pieces, PIECES_UNDER_WAY } from "./pieces.ts";
import { readDirectory } from "./read-directory.ts";
import type { Handle, SftpConnection } from "./sftp-connection.ts";
import { hasStatus, STATUS } from "./sftp-status.ts";

/** Lies in the root beside the objects; `~` is in no key. */
export const DRAFTS = "~drafts";

const DRAFT_NAME = /^[0-9a-f-]{36}$/;
/** A put takes minutes at most; the rest is tolerance for distant servers. */
const LONGEST_LIFE_SECONDS = 24 * 60 * 60;
const MOST_DRAFTS = 100_000;

export function newDraft(directory: string): string {
  return posix.join(directory, randomUUID());
}

/** Writes a durable file that is no object yet. When it fails, `removeDraft` removes the rest. */
export async function writeDraft(
  connection: SftpConnection,
  draft: string,
  parts: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const handle = await connection.open(draft, "wx");
  try {
    await inLanes(pieces(parts), PIECES_UNDER_WAY, async ({ offset, bytes }) => {
      signal.throwIfAborted();
      await connection.write(handle, bytes, offset);
    });
  } catch (error) {
    connection.closeInBackground(handle);
    throw error;
  }
  // The server takes them in this order. A failed close is a failed write: some file servers check quotas this late.
  await Promise.all([syncFile(connection, handle), connection.close(handle)]);
}

/** Never fails: a later run removes a draft that cannot be removed now; the outcome of its put is decided. */
export async function removeDraft(connection: SftpConnection, draft: string): Promise<void> {
  await connection.remove(draft).catch(() => undefined);
}

/**
 * Removes drafts of killed processes, a day later. Best effort: it never fails.
 * @param now by the server's clock, in seconds since 1970
 */
export async function removeStaleDrafts(connection: SftpConnection, directory: string, now: number): Promise<void> {
  const drafts = await readDirectory(connection, directory, {
    limit: MOST_DRAFTS,
    wanted: (name) => DRAFT_NAME.test(name),
  }).catch(() => []);
  const stale = drafts.filter(({ file }) => file.kind === "file" && file.modifiedSeconds < now - LONGEST_LIFE_SECONDS);
  await inLanes(stale, PIECES_UNDER_WAY, ({ name }) => removeDraft(connection, posix.join(directory, name)));
}

async function syncFile(connection: SftpConnection, handle: Handle): Promise<void> {
  try {
    await connection.sync(handle);
  } catch (error) {
    if (!hasStatus(error, STATUS.unsupported)) throw error;
  }
}
