import type { Stats } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";

import { ConfigurationError } from "@ovault/contract";

const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;
/** Only its owner may move or replace a file in such a directory. */
const STICKY = 0o1000;

/**
 * Refuses a file that decides what ovault runs, if another user may change it: by writing to it, by owning it, or by
 * replacing it in one of the directories above it. Root may read what belongs to the user who called `sudo`. Ignores
 * pipes, and every file on systems where files have no owners.
 * @throws ConfigurationError with the command that fixes it
 */
export async function assertOursAlone(file: string, what: string, stats: Stats): Promise<void> {
  const uid = process.getuid?.();
  if (uid === undefined || !stats.isFile()) return;
  const context = { file };
  const owners = trustedOwners(uid);
  if (!owners.has(stats.uid)) {
    throw new ConfigurationError(
      `${what} ${file} belongs to another user (${stats.uid}), and it decides what runs here`,
      {
        context,
        hint: `Read it, then: chown ${uid} ${file}`,
      },
    );
  }
  if ((stats.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new ConfigurationError(`others may write to ${what} ${file}, and it decides what runs here`, {
      context,
      hint: `Read it, then: chmod go-w ${file}`,
    });
  }
  for (const directory of new Set([...above(file), ...above(await realpath(file))])) {
    const { uid: owner, gid, mode } = await stat(directory);
    // A user's private group has no other members, and many systems let it write.
    const shared = (mode & WRITABLE_BY_ALL) !== 0 || ((mode & WRITABLE_BY_GROUP) !== 0 && gid !== owner);
    if (owners.has(owner) && (!shared || (mode & STICKY) !== 0)) continue;
    throw new ConfigurationError(`others may replace ${what} ${file} in ${directory}, and it decides what runs here`, {
      context: { file, directory },
      hint: owners.has(owner) ? `Read it, then: chmod go-w ${directory}` : `Keep it in a directory of your own.`,
    });
  }
}

function trustedOwners(uid: number): ReadonlySet<number> {
  const caller = uid === 0 ? Number(process.env["SUDO_UID"]) : NaN;
  return new Set([0, uid, ...(Number.isInteger(caller) ? [caller] : [])]);
}

/** The directories that hold a path, up to the root. */
function above(path: string): readonly string[] {
  const directory = dirname(path);
  return directory === path ? [] : [directory, ...above(directory)];
}
