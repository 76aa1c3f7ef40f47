import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A process that changes a flag takes milliseconds; a file server that is gone must not hold a backup. */
const TIMEOUT_MS = 10_000;

/**
 * Sets or clears the flag by which the file system itself refuses changes of these files, also by root
 * (FS_IMMUTABLE_FL). Best effort: it needs CAP_LINUX_IMMUTABLE and e2fsprogs, and no image depends on it.
 */
export async function setImmutable(immutable: boolean, files: readonly string[]): Promise<void> {
  await run("chattr", [immutable ? "+i" : "-i", "--", ...files], { timeout: TIMEOUT_MS }).catch(() => undefined);
}
