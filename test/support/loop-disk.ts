import { execFile } from "node:child_process";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A small ext4 file system of its own, in a file. Needs the right to mount. */
export class LoopDisk {
  readonly directory: string;
  readonly #image: string;

  /** `undefined`, with a note on stderr, where mounting is not allowed: callers then skip their tests. */
  static async mount(directory: string, bytes: number): Promise<LoopDisk | undefined> {
    const image = `${directory}.ext4`;
    await mkdir(directory, { recursive: true });
    try {
      const file = await open(image, "w");
      await file.truncate(bytes);
      await file.close();
      await run("mkfs.ext4", ["-q", "-F", image]);
      await run("mount", ["-o", "loop", image, directory]);
      return new LoopDisk(directory, image);
    } catch (error) {
      process.stderr.write(`SKIPPED: a full ext4, because it cannot be made or mounted: ${String(error)}\n`);
      return undefined;
    }
  }

  private constructor(directory: string, image: string) {
    this.directory = directory;
    this.#image = image;
  }

  /** Writes a file until not one block is free, for root either. */
  async fill(): Promise<void> {
    const file = await open(join(this.directory, "filler"), "a");
    try {
      for (let bytes = 1024 * 1024; bytes >= 512; bytes /= 2) await append(file, Buffer.alloc(bytes, 1));
      await file.sync().catch(() => undefined);
    } finally {
      await file.close();
    }
  }

  /** In bytes, as root sees it. */
  async free(): Promise<number> {
    const { bfree, bsize } = await statfs(this.directory);
    return bfree * bsize;
  }

  async unmount(): Promise<void> {
    await run("umount", [this.directory]);
    await rm(this.#image);
  }
}

/** As often as there is room. */
async function append(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  try {
    for (;;) {
      await file.write(bytes);
      await file.datasync();
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
