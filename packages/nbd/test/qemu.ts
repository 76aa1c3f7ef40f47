import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a tool to its end and returns what it printed; a failure rejects with its stderr in the message. */
export async function run(tool: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(tool, args, { timeout: 50_000, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** A directory that is gone at the end of the scope. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "ovault-nbd-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A qemu-nbd that serves until the end of the scope. `ready` is a socket or pid file that appears when it listens. */
export async function qemuNbd(ready: string, ...args: string[]): Promise<AsyncDisposable> {
  const child = spawn("qemu-nbd", ["--persistent", "--shared=8", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (text) => (complaint += String(text)));
  const exited = once(child, "exit");
  while (!existsSync(ready)) {
    if (child.exitCode !== null) throw new Error(`qemu-nbd gave up: ${complaint}`);
    await delay(5);
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
