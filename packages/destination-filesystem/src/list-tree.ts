import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { isKeyName, type ObjectInfo, systemErrorCode } from "@ovault/contract";

/** Concurrent stat calls. */
const BATCH = 64;

/**
 * The objects below `directory`, whose keys begin with `prefix`, in ascending order of key. Holds the names of one
 * directory of each level at a time. Skips what is not an object (drafts, `lost+found`, hidden files, links).
 * @throws the operating system's error.
 */
export async function* listTree(directory: string, prefix: string, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
  const names = await namesIn(directory);
  for (let start = 0; start < names.length; start += BATCH) {
    signal.throwIfAborted();
    const batch = names.slice(start, start + BATCH);
    const found = await Promise.all(batch.map((name) => look(directory, prefix, name)));
    for (const item of found) {
      if (typeof item === "string") yield* listTree(join(directory, item), `${prefix}${item}`, signal);
      else if (item !== undefined) yield item;
    }
  }
}

/** Names of directories end in `/`, so that they sort as the keys in them do: `a-b` and `a.b` before `a/b`. */
async function namesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(noneIfGone);
  const names = entries
    .filter((entry) => isKeyName(entry.name) && (entry.isFile() || entry.isDirectory()))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}

/** The object, the directory's own name, or `undefined` if the file was deleted meanwhile. */
async function look(directory: string, prefix: string, name: string): Promise<ObjectInfo | string | undefined> {
  if (name.endsWith("/")) return name;
  try {
    return { key: prefix + name, bytes: (await lstat(join(directory, name))).size };
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function noneIfGone(error: unknown): [] {
  const code = systemErrorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR") return [];
  throw error;
}
