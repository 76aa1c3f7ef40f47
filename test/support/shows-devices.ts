import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { promisify } from "node:util";

/** True when a lab can show disks as files here. Says so when not. */
export async function showsDevices(): Promise<boolean> {
  try {
    await access("/dev/fuse", constants.R_OK | constants.W_OK);
    await promisify(execFile)("fusermount3", ["--version"]);
    return true;
  } catch (error) {
    process.stderr.write(`SKIPPED, no FUSE: the lab cannot show devices: ${String(error)}\n`);
    return false;
  }
}
