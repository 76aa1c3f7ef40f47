import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

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
