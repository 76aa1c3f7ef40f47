import { execFile } from "node:child_process";
import { mkdtemp, open, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The least that mkfs.xfs makes. */
const SMALLEST_MEBIBYTES = 300;

/** An XFS with reflinks, on a loop device. */
export interface ReflinkDisk {
  readonly directory: string;
  dispose(): Promise<void>;
}

/** `undefined`, with a note on stderr, where mounting is not allowed: callers skip their tests then. */
export async function mountReflinkDisk(mebibytes = SMALLEST_MEBIBYTES): Promise<ReflinkDisk | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-reflink-"));
  const image = `${directory}.xfs`;
  try {
    const file = await open(image, "w");
    await file.truncate(mebibytes * 1024 * 1024);
    await file.close();
    await run("mkfs.xfs", ["-q", "-m", "reflink=1", image]);
    await run("mount", ["-o", "loop", image, directory]);
  } catch (error) {
    await rmdir(directory);
    await rm(image, { force: true });
    process.stderr.write(`SKIPPED: tests on XFS, which cannot be made or mounted here: ${String(error)}\n`);
    return undefined;
  }
  return {
    directory,
    async dispose() {
      await run("umount", [directory]);
      await rmdir(directory);
      await rm(image);
    },
  };
}
