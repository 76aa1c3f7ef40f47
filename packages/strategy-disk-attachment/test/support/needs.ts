import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** True when the lab can show disks as files. Says so when not. */
export async function canShowDevices(): Promise<boolean> {
  return await works("no FUSE: the lab cannot show devices", async () => {
    await access("/dev/fuse", constants.R_OK | constants.W_OK);
    await run("fusermount3", ["--version"]);
  });
}

/** True when this user can make block devices of files. Says so when not. */
export async function canLoop(): Promise<boolean> {
  return await works("no loop devices", async () => {
    if (process.getuid?.() !== 0) throw new Error("not root");
    await run("losetup", ["--find"]);
  });
}

/** True when LVM is installed. Says so when not. */
export async function hasLvm(): Promise<boolean> {
  return await works("no LVM", () => run("lvmconfig", ["--version"]));
}

async function works(otherwise: string, proof: () => Promise<unknown>): Promise<boolean> {
  try {
    await proof();
    return true;
  } catch (error) {
    process.stderr.write(`SKIPPED, ${otherwise}: ${String(error)}\n`);
    return false;
  }
}
