import { link, lstat, open, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import {
  StoreError,
  StoreUnavailableError,
  systemErrorCode,
  syncDirectory,
  undefinedIfMissing,
} from "@ovault/contract";

/** Codes of file systems without hard links: FAT and exFAT (EPERM), SMB, FUSE. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

const MARKER_POLLS = 100;
const MARKER_POLL_MS = 50;

export interface Publication {
  /** A durable file on the same file system. */
  readonly draft: string;
  readonly target: string;
}

/** Gives the draft its name; replaces an existing file. */
export async function publish({ draft, target }: Publication): Promise<void> {
  await rename(draft, target);
  await syncDirectory(dirname(target));
}

/**
 * Gives the draft its name if no file has it, by a hard link: that has exactly one winner on local file systems and on
 * NFS. The answer is durable, "exists" too: the process that made the object may not have flushed its name yet.
 *
 * Without hard links, the process that creates `marker` exclusively checks the name, renames and removes the marker.
 */
export async function publishIfAbsent(
  publication: Publication,
  marker: () => Promise<string>,
): Promise<"stored" | "exists"> {
  const { draft, target } = publication;
  try {
    await link(draft, target);
  } catch (error) {
    const code = systemErrorCode(error) ?? "";
    if (NO_LINKS.has(code)) return await publishUnderMarker(publication, await marker());
    if (code !== "EEXIST") throw error;
    if (!(await isSameFile(draft, target))) return await existing(target);
    // The reply to our own link was lost, and the NFS client repeated the request.
  }
  await syncDirectory(dirname(target));
  return "stored";
}

/** For file systems without hard links; see `publishIfAbsent`. */
export async function publishUnderMarker({ draft, target }: Publication, marker: string): Promise<"stored" | "exists"> {
  for (let poll = 0; poll < MARKER_POLLS; poll++) {
    if (await isThere(target)) return await existing(target);
    if (await createMarker(marker)) {
      try {
        if (await isThere(target)) return await existing(target);
        await publish({ draft, target });
        return "stored";
      } finally {
        await rm(marker, { force: true });
      }
    }
    await delay(MARKER_POLL_MS);
  }
  // No other process may break the marker: two that tried at once could both believe that they own it.
  throw new StoreUnavailableError(`another writer has been busy with ${target} for too long`, {
    retry: "transient",
    context: { marker },
    hint: `If no ovault is running on any machine, a killed one left its marker: remove ${marker}.`,
  });
}

/** False when another writer holds it. */
async function createMarker(marker: string): Promise<boolean> {
  try {
    const handle = await open(marker, "wx", 0o600);
    try {
      await handle.writeFile(`${hostname()} ${process.pid}\n`);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function existing(target: string): Promise<"exists"> {
  const found = await lstat(target);
  if (!found.isFile()) throw new StoreError(`${target} is in the way: it is not a file`, { context: { target } });
  await syncDirectory(dirname(target));
  return "exists";
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(undefinedIfMissing)) !== undefined;
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([lstat(one, { bigint: true }), lstat(other, { bigint: true })]);
  return a.dev === b.dev && a.ino === b.ino;
}
