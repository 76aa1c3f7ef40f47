import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Child {
  readonly process: ChildProcess;
  /** Lines it printed until it ended, however it ended. */
  readonly lines: Promise<readonly string[]>;
  /** Resolves with its first line. */
  readonly started: Promise<string>;
}

/** Runs one of the programs beside this file in a process of its own. */
export function startChild(program: string, args: readonly string[], options: { uid?: number } = {}): Child {
  const file = fileURLToPath(new URL(`./${program}`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"], ...options });
  const seen: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const started = new Promise<string>((resolve) => reader.once("line", resolve));
  reader.on("line", (line) => seen.push(line));
  const lines = Promise.all([once(child, "close"), once(reader, "close")]).then(() => seen);
  return { process: child, lines, started };
}
