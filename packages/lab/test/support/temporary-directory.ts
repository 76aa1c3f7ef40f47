import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

/** Takes what is to be done in the end; last in, first out. */
export type Finished = (cleanup: () => Promise<void>) => void;

/** An empty directory that is removed after the test. */
export async function makeTemporaryDirectory(finished: Finished = onTestFinished): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "ovault-test-"));
  finished(() => rm(path, { recursive: true, force: true }));
  return path;
}
