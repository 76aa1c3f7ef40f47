import { execFile } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { promisify } from "node:util";

import { HypervisorError } from "./errors.ts";

const run = promisify(execFile);

export const FUSE_DEVICE = "/dev/fuse";
/** Unmounts for unprivileged users, too; part of the package fuse3. */
const FUSERMOUNT = "fusermount3";

/** Why this machine cannot show disks as files; `undefined` when it can. */
export async function fuseProblem(): Promise<string | undefined> {
  try {
    await access(FUSE_DEVICE, constants.R_OK | constants.W_OK);
  } catch {
    return `${FUSE_DEVICE} is missing, or is not for this user to open`;
  }
  try {
    await run(FUSERMOUNT, ["--version"]);
    return undefined;
  } catch {
    return `the command ${FUSERMOUNT} of the package fuse3 is missing`;
  }
}

/**
 * Unmounts a file if it is mounted. False while a process has it open; `lazily` detaches it even then.
 */
export async function unmount(path: string, { lazily }: { readonly lazily: boolean }): Promise<boolean> {
  if (!(await isMounted(path))) return true;
  try {
    await run(FUSERMOUNT, ["-u", ...(lazily ? ["-z"] : []), "--", path]);
    return true;
  } catch (cause) {
    if (!(await isMounted(path))) return true;
    if (!lazily && cause instanceof Error && cause.message.includes("busy")) return false;
    throw new HypervisorError(`${path} cannot be unmounted: ${String(cause)}`, { cause, context: { path } });
  }
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  return mounts.split("\n").some((line) => readMountPoint(line) === path);
}

/** The fifth word of a line, with blanks and the like as octal numbers. */
function readMountPoint(line: string): string {
  const word = line.split(" ")[4] ?? "";
  return word.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
