import { execFile } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A file system of its own, in memory. */
export interface SmallDisk {
  readonly directory: string;
  remountReadOnly(): Promise<void>;
  unmount(): Promise<void>;
  /** Unmounts if still mounted. */
  dispose(): Promise<void>;
}

export async function mountSmallDisk(mebibytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-small-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700`, "ovault-test", directory]);
  } catch (error) {
    await rmdir(directory);
    throw error;
  }
  let mounted = true;
  const unmount = async () => {
    if (mounted) await run("umount", [directory]);
    mounted = false;
  };
  return {
    directory,
    remountReadOnly: async () => {
      await run("mount", ["-o", "remount,ro", directory]);
    },
    unmount,
    dispose: async () => {
      await unmount();
      await rmdir(directory);
    },
  };
}

/** Mounting needs root; a test that skips without it must report that. */
export async function canMount(): Promise<boolean> {
  try {
    const disk = await mountSmallDisk(1);
    await disk.dispose();
    return true;
  } catch (error) {
    process.stderr.write(
      `SKIPPED: tests on a full, read-only or unmounted disk: cannot mount here (${String(error)})\n`,
    );
    return false;
  }
}
