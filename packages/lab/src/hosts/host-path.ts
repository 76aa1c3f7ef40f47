import { mkdir, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";

const SYSTEM_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * The PATH of a host: a directory for programs of its own, which is made, and those of the machine. With hidden ones,
 * a directory of links to all others takes the place of the machine's.
 */
export async function hostPath(directory: string, hidden: readonly string[]): Promise<string> {
  const own = join(directory, "bin");
  await mkdir(own, { recursive: true, mode: 0o700 });
  const others = join(directory, "system-bin");
  await rm(others, { recursive: true, force: true });
  if (hidden.length === 0) return [own, ...SYSTEM_PATH].join(":");
  await mkdir(others, { mode: 0o700 });
  const linked = new Set(hidden);
  for (const place of SYSTEM_PATH) {
    for (const name of await readdir(place).catch(() => [])) {
      if (linked.has(name)) continue;
      linked.add(name);
      await symlink(join(place, name), join(others, name));
    }
  }
  return [own, others].join(":");
}
