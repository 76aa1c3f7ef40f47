import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { sep } from "node:path";
import { promisify } from "node:util";

import { isInstalled } from "./is-installed.ts";
import { workDirectory } from "./work-directory.ts";

const run = promisify(execFile);

/** The machine of the measurements. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly kernel: string;
  /** File system of the work directory. */
  readonly fileSystem: string;
  /** Versions of the installed programs. */
  readonly versions: Readonly<Record<string, string>>;
}

const PEERS = [
  ["qemu-img", "--version"],
  ["borg", "--version"],
  ["restic", "version"],
] as const;

export async function describeMachine(): Promise<Machine> {
  const peers = PEERS.filter(([program]) => isInstalled(program));
  const versions = peers.map(async ([program, ask]) => {
    const { stdout } = await run(program, [ask]);
    return [program, /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? "unknown"] as const;
  });
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system:
      /^PRETTY_NAME="?(?<name>[^"\n]*)/m.exec(await readFile("/etc/os-release", "utf8"))?.groups?.["name"] ?? "Linux",
    kernel: release(),
    fileSystem: fileSystemOf(workDirectory, await readFile("/proc/self/mounts", "utf8")),
    versions: { node: process.versions.node, ...Object.fromEntries(await Promise.all(versions)) },
  };
}

/** @param mounts lines of device, directory, type and options, as in /proc/self/mounts */
function fileSystemOf(path: string, mounts: string): string {
  const holding = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, directory = ""]) => `${path}${sep}`.startsWith(directory.endsWith(sep) ? directory : directory + sep))
    .toSorted(([, a = ""], [, b = ""]) => a.length - b.length);
  return holding.at(-1)?.[2] ?? "unknown";
}
