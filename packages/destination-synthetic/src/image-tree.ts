import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { type ImageInfo, isKeyName, undefinedIfMissing } from "@ovault/contract";

import { DISK_FILE, IMAGE_SUFFIX } from "./layout.ts";

/** Unit of `blocks`, whatever the file system's own blocks are. */
const STAT_BLOCK_BYTES = 512;

interface Entry {
  /** Name in keys; that of a folder ends in `/`, so that it sorts as the keys in it do. */
  readonly name: string;
  readonly path: string;
}

/**
 * The images below `directory`, whose keys begin with `prefix`, in ascending order of key. Skips what is no image.
 * @throws the operating system's error
 */
export async function* listImages(directory: string, prefix: string, signal: AbortSignal): AsyncGenerator<ImageInfo> {
  for (const { name, path } of await entriesOf(join(directory, prefix))) {
    signal.throwIfAborted();
    if (name.endsWith("/")) yield* listImages(directory, prefix + name, signal);
    else {
      const found = await lstat(join(path, DISK_FILE)).catch(undefinedIfMissing);
      if (!found?.isFile()) continue;
      yield { key: prefix + name, logicalBytes: found.size, allocatedBytes: found.blocks * STAT_BLOCK_BYTES };
    }
  }
}

async function entriesOf(directory: string): Promise<readonly Entry[]> {
  const found = await readdir(directory, { withFileTypes: true }).catch(undefinedIfMissing);
  const entries: Entry[] = [];
  for (const entry of found ?? []) {
    if (!entry.isDirectory()) continue;
    const isImage = entry.name.endsWith(IMAGE_SUFFIX);
    const plain = isImage ? entry.name.slice(0, -IMAGE_SUFFIX.length) : entry.name;
    if (!isKeyName(plain)) continue;
    entries.push({ name: isImage ? plain : `${plain}/`, path: join(directory, entry.name) });
  }
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
