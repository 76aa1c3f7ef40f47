import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { CancelledError, UsageError } from "@ovault/core";

const LAUNCHER = fileURLToPath(new URL("../../../bin/ovault.js", import.meta.url));
const READY = "ready";

/**
 * Runs this same command line, without `--detach`, in a process of its own: own session, nothing inherited but a log file
 * in the lab's directory. Resolves when the lab there is ready.
 * @throws UsageError holding what that process said, when it ended instead.
 */
export async function startDetached(directory: string, signal: AbortSignal): Promise<void> {
  await mkdir(directory, { recursive: true });
  const logFile = join(directory, "lab.log");
  await using log = await open(logFile, "w", 0o600);
  const child = spawnDetached(log);
  const stop = (): boolean => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const outcome = await Promise.race([
      once(child, "message").then(() => READY),
      once(child, "exit").then(() => "ended"),
    ]);
    if (outcome !== READY) {
      if (signal.aborted) throw new CancelledError("interrupted while the lab was starting");
      throw new UsageError(`the lab did not start:\n${(await readFile(logFile, "utf8")).trim()}`, {
        context: { logFile },
      });
    }
  } finally {
    signal.removeEventListener("abort", stop);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Tells a parent that waits in `startDetached`; does nothing when there is none. */
export function announceReady(): void {
  if (process.send === undefined) return;
  process.send(READY);
  process.disconnect();
}

function spawnDetached(log: FileHandle): ChildProcess {
  const args = process.argv.slice(2).filter((argument) => argument !== "--detach");
  return spawn(process.execPath, [LAUNCHER, ...args], { detached: true, stdio: ["ignore", log.fd, log.fd, "ipc"] });
}
