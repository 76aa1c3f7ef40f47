import { execFile } from "node:child_process";
import { access, constants, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { attachLoop, detachLoop } from "./loop-device.ts";

const run = promisify(execFile);

/** True when the lab can show disks as files. Says so when not. */
export async function canShowDevices(): Promise<boolean> {
  return await works("no FUSE: the lab cannot show devices", async () => {
    await access("/dev/fuse", constants.R_OK | constants.W_OK);
    await run("fusermount3", ["--version"]);
  });
}

/** True when this user can make block devices of files, and file systems on them. Says so when not. */
export async function canLoop(): Promise<boolean> {
  return await works("no loop devices", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ovault-loop-"));
    try {
      const file = join(directory, "disk");
      await writeFile(file, Buffer.alloc(1024 * 1024));
      await detachLoop(await attachLoop(file));
      await run("mkfs.ext4", ["-V"]);
    } finally {
      await rm(directory, { recursive: true });
    }
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
