import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Images and repositories of the benchmarks; images are kept for the next run. */
export const workDirectory = process.env["OVAULT_BENCH_DIR"] ?? join(tmpdir(), "ovault-bench");

const GIB = 2 ** 30;

/** A 10 GiB raw image: an ext4 file system with the files of /usr, or of OVAULT_BENCH_FILES. */
export function realFilesImage(): Promise<string> {
  return imageOf("real-files.raw", process.env["OVAULT_BENCH_FILES"] ?? "/usr", "10G");
}

/** A 2 GiB raw image with the files of /usr/share, or of OVAULT_BENCH_FEW_FILES. */
export function smallImage(): Promise<string> {
  return imageOf("few-files.raw", process.env["OVAULT_BENCH_FEW_FILES"] ?? "/usr/share", "2G");
}

async function imageOf(name: string, files: string, size: string): Promise<string> {
  const image = join(workDirectory, name);
  if (existsSync(image)) return image;
  await mkdir(workDirectory, { recursive: true });
  const draft = `${image}.draft`;
  await rm(draft, { force: true });
  await run("mke2fs", ["-q", "-t", "ext4", "-d", files, draft, size], { maxBuffer: 64 * 2 ** 20 });
  await rename(draft, image);
  return image;
}

/** A range that a guest wrote. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * A copy of the image with 64 KiB writes at pseudo-random places, `fraction` of the disk in all, and where they are.
 * The same every time.
 */
export async function changedImage(image: string, fraction: number): Promise<{ path: string; ranges: ChangedRange[] }> {
  const path = join(workDirectory, `${basename(image)}-changed-${fraction}`);
  await run("cp", ["--sparse=always", image, path]);
  const length = 64 * 1024;
  const cells = (await stat(image)).size / length;
  const chosen = new Set<number>();
  let state = 1;
  while (chosen.size < cells * fraction) {
    state = (state * 48271) % 0x7fffffff;
    chosen.add(state % cells);
  }
  const file = await open(path, "r+");
  try {
    const content = Buffer.alloc(length);
    for (const cell of chosen) {
      for (let at = 0; at < length; at += 4) content.writeUInt32LE((cell * 2654435761 + at * 40503) >>> 0, at);
      await file.write(content, 0, length, cell * length);
    }
  } finally {
    await file.close();
  }
  const ranges = [...chosen].toSorted((a, b) => a - b).map((cell) => ({ offset: cell * length, length }));
  return { path, ranges };
}

/** 6 TiB without a byte of data. */
export async function cleanDisk(): Promise<string> {
  const path = join(workDirectory, "clean-6tib.qcow2");
  await mkdir(workDirectory, { recursive: true });
  await rm(path, { force: true });
  await run("qemu-img", ["create", "-q", "-f", "qcow2", path, String(6 * 1024 * GIB)]);
  return path;
}

/** Reads a file once, so that every contender finds it in the page cache, or none of it. */
export async function warm(path: string): Promise<void> {
  await run("dd", [`if=${path}`, "of=/dev/null", "bs=4M", "status=none"]);
}

export async function emptyFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await (await open(path, "w")).close();
  await truncate(path, 0);
}
