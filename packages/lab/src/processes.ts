import { readFile, readdir } from "node:fs/promises";

/** A process that has ended by itself meanwhile is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended by itself
  }
}

/** A process and all that descend from it, parents first. With a signal, each gets it before its children are read. */
export async function processTree(root: number, signal?: NodeJS.Signals): Promise<readonly number[]> {
  const found = [root];
  for (const pid of found) {
    if (signal !== undefined) signalProcess(pid, signal);
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
    found.push(...children.split(" ").filter(Boolean).map(Number));
  }
  return found;
}

/** Command lines by process id of the processes of this user, or all as root, that have a variable in their environment. */
export async function processesWith(name: string, value: string): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(`${name}=${value}`)) continue;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (commandLine !== "") found.set(pid, commandLine.split("\0").join(" ").trim()); // else it has ended
  }
  return found;
}
