import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Makes a block device of a file. */
export async function attachLoop(file: string): Promise<string> {
  const { stdout } = await run("losetup", ["--find", "--show", file]);
  return stdout.trim();
}

/** Detaches at once, or when the last process that has it open closes it. */
export async function detachLoop(device: string): Promise<void> {
  await run("losetup", ["--detach", device]);
}
