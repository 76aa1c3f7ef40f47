import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a tool to its end and returns what it printed; a failure rejects with its stderr in the message. */
export async function run(tool: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(tool, args, { timeout: 50_000, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** A directory that is gone at the end of the scope. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "ovault-disk-image-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
