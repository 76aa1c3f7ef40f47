import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { onTestFinished } from "vitest";

import type { MemoryStore } from "@ovault/testkit";

/** Goes with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-objects-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Lays the objects of a store down as a filesystem destination has them. */
export async function layDown({ objects }: MemoryStore, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [key, bytes] of objects) {
    const path = join(directory, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

/** Takes what a filesystem destination has into a store in place of all that is in it. */
export async function pickUp({ objects }: MemoryStore, directory: string): Promise<void> {
  objects.clear();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const key = relative(directory, path);
    // Drafts are no objects.
    if (entry.isFile() && !key.startsWith("~")) objects.set(key, await readFile(path));
  }
}
