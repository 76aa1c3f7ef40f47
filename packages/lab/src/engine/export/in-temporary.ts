import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Work with a directory that is removed afterwards. */
export async function inTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-lab-export-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
