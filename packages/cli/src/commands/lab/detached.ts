import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { CancelledError, UsageError } from "@ovault/contract";
import type { ErrorSummary } from "@ovault/operations";

import { LAUNCHER } from "../../launcher.ts";

const READY = "ready";

/**
 * Runs this command line, without `--detach`, in a new process: its own session, inheriting only a log file in the
 * lab's directory. Resolves when the lab there is ready.
 * @throws UsageError with that process's output, when it ended instead
 */
export async function startDetached(directory: string, signal: AbortSignal): Promise<void> {
  await mkdir(directory, { recursive: true });
  const logFile = join(directory, "lab.log");
  // Appends: a running lab may be writing to it.
  await using log = await open(logFile, "a", 0o600);
  const { size: logStart } = await stat(logFile);
  const child = spawnDetached(log.fd);
  const stop = (): boolean => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const outcome = await Promise.race([
      once(child, "message").then(() => READY),
      once(child, "exit").then(() => "ended"),
    ]);
    if (outcome === READY) return;
    if (signal.aborted) throw new CancelledError("interrupted while the lab was starting");
    throw startFailure((await readFile(logFile)).subarray(logStart).toString("utf8"), logFile);
  } finally {
    signal.removeEventListener("abort", stop);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Notifies a parent that waits in `startDetached`, if there is one. */
export function announceReady(): void {
  if (process.send === undefined) return;
  process.send(READY);
  process.disconnect();
}

function spawnDetached(log: number): ChildProcess {
  const own = new Set(["--detach", "--json"]);
  const args = process.argv.slice(2).filter((argument) => !own.has(argument));
  return spawn(process.execPath, [LAUNCHER, ...args, "--json"], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
}

function startFailure(said: string, logFile: string): UsageError {
  try {
    const { error }: { readonly error: ErrorSummary } = JSON.parse(said.trim().split("\n").at(-1) ?? "");
    const { message, hint } = error;
    return new UsageError(message, { context: { logFile }, ...(hint === null ? {} : { hint }) });
  } catch {
    return new UsageError("the lab ended before it was ready", { context: { logFile }, hint: `See ${logFile}.` });
  }
}
