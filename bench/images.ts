import { execFile } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";

import { workDirectory } from "./work-directory.ts";

const run = promisify(execFile);

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A 10 GiB raw image: an ext4 file system with the files of /usr, or of OVAULT_BENCH_FILES. Kept for the next run. */
export function realFilesImage(): Promise<string> {
  return imageOf("real-files.raw", process.env["OVAULT_BENCH_FILES"] ?? "/usr", "10G");
}

/** A 2 GiB raw image with the files of /usr/share, or of OVAULT_BENCH_FEW_FILES. Kept for the next run. */
export function smallImage(): Promise<string> {
  return imageOf("few-files.raw", process.env["OVAULT_BENCH_FEW_FILES"] ?? "/usr/share", "2G");
}

async function imageOf(name: string, files: string, size: string): Promise<string> {
  const image = join(workDirectory, name);
  if (!existsSync(image)) {
    await mkdir(workDirectory, { recursive: true });
    const draft = `${image}.draft`;
    await rm(draft, { force: true });
    await run("mke2fs", ["-q", "-t", "ext4", "-d", files, draft, size], { maxBuffer: 64 * MIB });
    await rename(draft, image);
  }
  await warm(image);
  return image;
}

/** A part of an image as an image of its own. The caller removes it. */
export async function sliceOf(image: string, index: number, bytes: number): Promise<string> {
  const path = join(workDirectory, `${basename(image, ".raw")}-${String(index).padStart(2, "0")}.raw`);
  await copyRange(image, path, { skip: index * bytes, seek: 0, bytes });
  return path;
}

/** 1 GiB that does not compress, the same every time. The caller removes it. */
export async function incompressibleImage(): Promise<string> {
  return await randomImage("incompressible.raw", GIB);
}

/** 1 GiB, of which 0.7 GB do not compress and the rest is a hole. The caller removes it. */
export async function mostlyRandomImage(): Promise<string> {
  return await randomImage("mostly-random.raw", 700_000_000 - (700_000_000 % (4 * MIB)));
}

/** Of 1 GiB, which begins with so many random bytes: a multiple of 4 MiB. */
async function randomImage(name: string, randomBytes: number): Promise<string> {
  const path = join(workDirectory, name);
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * MIB);
  const file = await open(path, "w");
  for (let at = 0; at < randomBytes; at += zeros.length) await file.write(cipher.update(zeros));
  await file.truncate(GIB);
  await file.close();
  return path;
}

/** 4 GiB, all of it written, with 32 MiB of files in each 512 MiB of zeros. The caller removes it. */
export async function zeroHeavyImage(): Promise<string> {
  const path = join(workDirectory, "zero-heavy.raw");
  await run("dd", ["if=/dev/zero", `of=${path}`, "bs=4M", `count=${(4 * GIB) / (4 * MIB)}`, "status=none"]);
  const files = await smallImage();
  for (let part = 0; part < 8; part += 1) {
    await copyRange(files, path, { skip: part * 32 * MIB, seek: part * 512 * MIB, bytes: 32 * MIB });
  }
  return path;
}

/** Holes stay holes; nothing else in the target changes. In whole MiB. */
async function copyRange(
  from: string,
  to: string,
  { skip, seek, bytes }: { readonly skip: number; readonly seek: number; readonly bytes: number },
): Promise<void> {
  const range = [`skip=${skip / MIB}`, `seek=${seek / MIB}`, `count=${bytes / MIB}`];
  await run("dd", [`if=${from}`, `of=${to}`, "bs=1M", ...range, "conv=notrunc,sparse", "status=none"]);
}

/** 6 TiB without a byte of data. The caller removes it. */
export async function cleanDisk(): Promise<string> {
  const path = join(workDirectory, "clean-6-tib.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", path, String(6 * 1024 * GIB)]);
  return path;
}

/** Reads a file once, so that it is in the page cache for every contender. */
export async function warm(path: string): Promise<void> {
  await run("dd", [`if=${path}`, "of=/dev/null", "bs=4M", "status=none"]);
}
