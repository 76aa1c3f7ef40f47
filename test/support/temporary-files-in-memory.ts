import { chmod, mkdtemp, rm, statfs } from "node:fs/promises";

const IN_MEMORY = "/dev/shm";
/** Several times the usage of a run. */
const ENOUGH_BYTES = 4 * 1024 ** 3;

/**
 * Keeps the temporary files of a test run in memory if the machine has room: tests flush thousands of times, and none
 * of them is about a power loss of the disk.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  const free = await statfs(IN_MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  if (process.env["TMPDIR"] !== undefined || free < ENOUGH_BYTES) return undefined;
  const directory = await mkdtemp(`${IN_MEMORY}/ovault-tests-`);
  // Open to all users, as such a directory is.
  await chmod(directory, 0o1777);
  process.env["TMPDIR"] = directory;
  return () => rm(directory, { recursive: true, force: true });
}
