import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A small file system of its own, in memory. Needs the right to mount. */
export class Tmpfs {
  readonly directory: string;

  /** `undefined`, with a note on stderr, where mounting is not allowed: callers then skip their tests. */
  static async mount(directory: string, bytes: number): Promise<Tmpfs | undefined> {
    await mkdir(directory, { recursive: true });
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "ovault-test", directory]);
      return new Tmpfs(directory);
    } catch (error) {
      process.stderr.write(
        `SKIPPED: full and read-only destinations, because tmpfs cannot be mounted: ${String(error)}\n`,
      );
      return undefined;
    }
  }

  private constructor(directory: string) {
    this.directory = directory;
  }

  async remount(options: string): Promise<void> {
    await run("mount", ["-o", `remount,${options}`, this.directory]);
  }

  async unmount(): Promise<void> {
    await run("umount", [this.directory]);
  }
}
