import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Child {
  /** Resolves with its first line. */
  readonly started: Promise<string>;
  /** Lines it printed until it ended. */
  readonly lines: Promise<readonly string[]>;
  /** Tells it by the end of its input that it may begin. */
  go(): void;
}

/** Runs one of the programs beside this file in a process of its own. */
export function startChild(program: string, args: readonly string[]): Child {
  const file = fileURLToPath(new URL(`./${program}`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const seen: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const started = new Promise<string>((resolve) => reader.once("line", resolve));
  reader.on("line", (line) => seen.push(line));
  const lines = Promise.all([once(child, "close"), once(reader, "close")]).then(() => seen);
  return { started, lines, go: () => child.stdin.end() };
}
