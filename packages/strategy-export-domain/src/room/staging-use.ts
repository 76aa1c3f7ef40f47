import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";

const SECTOR_BYTES = 512;

/** Bytes that files take below a folder. What vanishes meanwhile takes none; links are not followed. */
export async function usedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const { name, isDirectory } of await entriesOf(folder)) {
    const path = join(folder, name);
    bytes += isDirectory ? await usedBytes(path) : await allocated(path);
  }
  return bytes;
}

async function entriesOf(folder: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]> {
  const entries = await orGone(readdir(folder, { withFileTypes: true }));
  return entries?.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })) ?? [];
}

async function allocated(path: string): Promise<number> {
  return ((await orGone(lstat(path)))?.blocks ?? 0) * SECTOR_BYTES;
}

async function orGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
