import { access, constants, copyFile, mkdir, opendir, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import type { Commands } from "./commands.ts";

const MIB = 1024 * 1024;
const DATA_BYTES = 320 * MIB;
const IMAGE_SIZE = "1G";

/** Real files of this machine: first those of every checkout, then those of a system. */
const SOURCES: readonly string[] = [
  fileURLToPath(new URL("../node_modules", import.meta.url)),
  "/usr/lib",
  "/usr/share",
];

/** Makes a qcow2 image of 1 GiB that holds an ext4 file system full of real files, without mounting anything. */
export async function makeImage(path: string, commands: Commands, signal: AbortSignal): Promise<void> {
  const files = join(dirname(path), "files");
  const raw = join(dirname(path), "filesystem.raw");
  try {
    const { count, bytes } = await copyFiles(files, signal);
    process.stdout.write(`${count} files of this machine, ${Math.round(bytes / MIB)} MiB, become a disk:\n`);
    await commands.show("mke2fs", "-q", "-t", "ext4", "-d", files, raw, IMAGE_SIZE);
    await commands.show("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path);
  } finally {
    await rm(files, { recursive: true, force: true });
    await rm(raw, { force: true });
  }
}

async function copyFiles(target: string, signal: AbortSignal): Promise<{ count: number; bytes: number }> {
  let [count, bytes] = [0, 0];
  for (const source of SOURCES) {
    for await (const file of filesBelow(source)) {
      signal.throwIfAborted();
      const copy = join(target, basename(source), relative(source, file.path));
      await mkdir(dirname(copy), { recursive: true });
      await copyFile(file.path, copy);
      count += 1;
      bytes += file.bytes;
      if (bytes >= DATA_BYTES) return { count, bytes };
    }
  }
  throw new Error(`this machine has only ${Math.round(bytes / MIB)} MiB of files to fill the disk with`);
}

/** Regular files that can be read. */
async function* filesBelow(directory: string): AsyncGenerator<{ readonly path: string; readonly bytes: number }> {
  const entries = await opendir(directory).catch(() => undefined);
  if (entries === undefined) return;
  for await (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && (await isReadable(path))) yield { path, bytes: (await stat(path)).size };
  }
}

async function isReadable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
