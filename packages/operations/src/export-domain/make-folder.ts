import { chmod, chown, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

import { messageOf, systemErrorCode } from "@ovault/contract";
import { StagingError, VDSM } from "@ovault/strategy-export-domain";

/** What hosts need of the directory that they mount. */
const FOLDER_MODE = 0o755;

/** What `makeFolder` does, for a shell. */
export function folderCommand(folder: string): string {
  const owner = process.getuid?.() === 0 ? `-o ${VDSM.uid} -g ${VDSM.gid} ` : "";
  return `install -d ${owner}-m ${FOLDER_MODE.toString(8).padStart(4, "0")} ${quoted(folder)}`;
}

/**
 * Makes the folder of a site, and the one above it, unless they are there. Root gives it to VDSM, as whom hosts come.
 * @returns true when it made it
 * @throws StagingError also when the place for it is missing: an unmounted share must not turn into a directory
 */
export async function makeFolder(folder: string, parent: string | undefined): Promise<boolean> {
  if (parent !== undefined && parent !== folder && folder.startsWith(`${parent}/`)) await makeFolder(parent, undefined);
  try {
    await mkdir(folder, FOLDER_MODE);
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST" && (await stat(folder)).isDirectory()) return false;
    throw new StagingError(`cannot make the folder ${folder}: ${messageOf(error)}`, {
      cause: error,
      context: { folder },
      hint: `${dirname(folder)} must exist, and ovault must be allowed to write there. Is its file system mounted?`,
    });
  }
  // The mode of mkdir is cut by the process's umask.
  await chmod(folder, FOLDER_MODE);
  if (process.getuid?.() === 0) await chown(folder, VDSM.uid, VDSM.gid);
  return true;
}

function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
