import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** All files below a directory with their sizes in bytes, by their paths from there; leases come and go and are left out. */
export async function treeOf(directory: string): Promise<Readonly<Record<string, number>>> {
  const entries = await readdir(directory, { recursive: true });
  const files = entries.filter((name) => !name.startsWith("leases")).toSorted();
  const sizes: Record<string, number> = {};
  for (const name of files) {
    const found = await stat(join(directory, name));
    if (found.isFile()) sizes[name] = found.size;
  }
  return sizes;
}
