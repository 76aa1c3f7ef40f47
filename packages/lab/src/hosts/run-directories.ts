import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Directories of a host that a power cut empties: they are in its memory. */
const BASES = [`/run/user/${process.getuid?.()}`, "/run/vdsm", "/run"];

/** Directories there whose file `pid` names one of these processes. */
export async function runDirectoriesOf(pids: ReadonlySet<number>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const base of BASES) {
    for (const name of await readdir(base).catch(() => [])) {
      const pid = Number(await readFile(join(base, name, "pid"), "utf8").catch(() => ""));
      if (pids.has(pid)) found.push(join(base, name));
    }
  }
  return found;
}
