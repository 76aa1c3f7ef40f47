import { newDraft, removeDraft } from "./draft.ts";
import { makeDirectory, syncDirectory } from "./remote-files.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { SftpStatusError } from "./sftp-status.ts";

/** What a server and the file system behind it can do, beyond plain SFTP. */
export interface Features {
  /** The server makes hard links, which fail where the name is taken: put-if-absent has exactly one winner. */
  readonly hardLinks: boolean;
  /** The server flushes directories, so that a new name survives its power cut. */
  readonly syncsDirectories: boolean;
  /** The server's clock, in seconds since 1970. */
  readonly now: number;
}

/** For a directory that cannot or must not be written. */
export const NO_FEATURES: Features = { hardLinks: false, syncsDirectories: false, now: 0 };

/**
 * Tries the features out in the folder of drafts, which it makes if needed. The server's announcement is not enough:
 * the file system behind it may have no links. Returns no features when it cannot write.
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
