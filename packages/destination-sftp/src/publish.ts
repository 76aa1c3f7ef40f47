import { StoreError } from "@ovault/contract";

import type { SftpConnection } from "./sftp-connection.ts";
import { hasStatus, isAbsence, SftpStatusError, STATUS } from "./sftp-status.ts";

export interface Publication {
  readonly connection: SftpConnection;
  /** A durable file on the target's file system. */
  readonly draft: string;
  readonly target: string;
}

/**
 * Gives the draft its name; replaces an existing file. Atomic where the server offers `posix-rename@openssh.com`;
 * elsewhere there is a moment in which no file has the name.
 */
export async function publish({ connection, draft, target }: Publication): Promise<"stored"> {
  try {
    await connection.replace(draft, target);
  } catch (error) {
    if (!hasStatus(error, STATUS.unsupported)) throw error;
    await replaceInSteps({ connection, draft, target });
  }
  return "stored";
}

/**
 * Gives the draft its name if no file has it. A hard link has exactly one winner. The rename of plain SFTP should fail
 * where the name is taken, but servers check first and rename then, so that two can win.
 */
export async function publishIfAbsent(
  { connection, draft, target }: Publication,
  { hardLinks }: { readonly hardLinks: boolean },
): Promise<"stored" | "exists"> {
  if (!hardLinks && (await isThere(connection, target))) return "exists";
  try {
    await (hardLinks ? connection.link(draft, target) : connection.rename(draft, target));
    return "stored";
  } catch (error) {
    if (error instanceof SftpStatusError && (await isThere(connection, target))) return "exists";
    throw error;
  }
}

async function replaceInSteps({ connection, draft, target }: Publication): Promise<void> {
  try {
    await connection.rename(draft, target);
  } catch (error) {
    if (!(error instanceof SftpStatusError) || !(await isThere(connection, target))) throw error;
    await connection.remove(target);
    await connection.rename(draft, target);
  }
}

/** @throws StoreError when the name belongs to something other than a file. */
async function isThere(connection: SftpConnection, target: string): Promise<boolean> {
  try {
    if ((await connection.stat(target)).kind === "file") return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
  throw new StoreError(`${target} is in the way: it is not a file`, { context: { target } });
}
