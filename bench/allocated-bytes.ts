import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Of POSIX, whatever the file system's own are. */
const STAT_BLOCK_BYTES = 512;

/** What a file, or everything in a directory, takes on the disk. 0 when it does not exist. */
export async function allocatedBytes(path: string): Promise<number> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.blocks * STAT_BLOCK_BYTES;
  const sizes = await Promise.all((await readdir(path)).map((name) => allocatedBytes(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}
