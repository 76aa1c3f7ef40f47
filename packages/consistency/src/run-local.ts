import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import type { CommandOutput } from "./command-output.ts";
import type { Environment } from "./environment.ts";
import type { Outcome } from "./outcome.ts";
import type { CommandOptions } from "./schema.ts";

/** Variables that a command inherits. Any other may be a secret, and would differ between a terminal and cron. */
const INHERITED = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/** Between the request to end and the kill. */
const GRACE_MS = 5_000;
/** Processes that a command left running may hold its output open. */
const DRAIN_MS = 1_000;

type Child = ChildProcessByStdio<null, Readable, Readable>;

export interface LocalRun {
  readonly command: Pick<CommandOptions, "run" | "shell">;
  readonly directory: string;
  readonly environment: Environment;
  readonly output: CommandOutput;
}

/**
 * Runs a command on this machine, in a process group of its own. After an abort, ends the whole group, and the promise
 * settles when the command has ended. Rejects when it cannot be started.
 */
export async function runLocal(
  { command, directory, environment, output }: LocalRun,
  signal: AbortSignal,
): Promise<Outcome> {
  const { run } = command;
  const [program = "", ...args] = typeof run === "string" ? ["/bin/sh", "-c", run] : run;
  const child: Child = spawn(program, args, {
    cwd: directory,
    env: { ...inherited(), ...environment },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (bytes: Buffer) => output.add("stdout", bytes));
  child.stderr.on("data", (bytes: Buffer) => output.add("stderr", bytes));
  const closed = once(child, "close");
  closed.catch(() => undefined);
  const stop = endGroupOnAbort(child, signal);
  try {
    const [code, by]: (number | string | null)[] = await once(child, "exit");
    await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })]);
    return { code: typeof code === "number" ? code : null, signal: typeof by === "string" ? by : null };
  } finally {
    stop();
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function inherited(): Environment {
  const known = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(known);
}

/**
 * Asks the group to end, then kills it. The returned function stops this, and kills the rest of a group that was asked
 * to end.
 */
function endGroupOnAbort(child: Child, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    kill(child, "SIGTERM");
    timer = setTimeout(() => kill(child, "SIGKILL"), GRACE_MS);
  };
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return () => {
    signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
    if (timer !== undefined) kill(child, "SIGKILL");
  };
}

function kill({ pid }: Child, signal: "SIGTERM" | "SIGKILL"): void {
  // It was never started.
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is empty.
  }
}
