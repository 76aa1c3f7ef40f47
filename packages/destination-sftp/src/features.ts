import { newDraft, removeDraft } from "./draft.ts";
import { makeDirectory, syncDirectory } from "./remote-files.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { SftpStatusError } from "./sftp-status.ts";

/** What a server and the file system behind it can do, beyond plain SFTP. */
export interface Features {
  /** A file gets a second name by a step that fails where the name is taken: put-if-absent has exactly one winner. */
  readonly hardLinks: boolean;
  /** A directory can be opened and flushed, so that a new name survives a power cut of the server. */
  readonly syncsDirectories: boolean;
  /** The server's clock, in seconds since 1970. */
  readonly now: number;
}

/** Where nothing can be written, or nothing may be. */
export const NO_FEATURES: Features = { hardLinks: false, syncsDirectories: false, now: 0 };

/**
 * Tries it out in the folder of drafts, which is made if need be. What a server announces is not enough: the file system
 * behind it may have no links. Where nothing can be written, nothing is promised.
 */
export async function findFeatures(connection: SftpConnection, drafts: string): Promise<Features> {
  const draft = newDraft(drafts);
  const second = newDraft(drafts);
  try {
    await makeDirectory(connection, drafts);
    const handle = await connection.open(draft, "wx");
    const [{ modifiedSeconds }] = await Promise.all([connection.statHandle(handle), connection.close(handle)]);
    const [one, other, syncsDirectories] = await Promise.all([
      works(connection.link(draft, second)),
      works(connection.link(draft, second)),
      works(syncDirectory(connection, drafts)),
    ]);
    return { hardLinks: one !== other, syncsDirectories, now: modifiedSeconds };
  } catch (error) {
    if (error instanceof SftpStatusError) return NO_FEATURES;
    throw error;
  } finally {
    void removeDraft(connection, draft);
    void removeDraft(connection, second);
  }
}

async function works(attempt: Promise<void>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch (error) {
    if (error instanceof SftpStatusError) return false;
    throw error;
  }
}
