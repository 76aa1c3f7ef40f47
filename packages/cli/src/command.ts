import type { OperationContext } from "@ovault/operations";
import type { Command } from "commander";

import type { ExitCode } from "./exit.ts";
import type { Terminal } from "./output/terminal.ts";
import type { View } from "./output/view.ts";

/** What every command handler works with. */
export interface CommandContext extends OperationContext {
  /** The same as `reporter`. */
  readonly terminal: Terminal;
  /** Tells an impatient second Ctrl-C what would be left behind. */
  readonly interruption: { remainder: () => Promise<readonly string[]> };
}

/** What a handler returns: the same result for programs and for people. */
export interface Outcome {
  /** Printed by --json. Plain data. */
  readonly data: unknown;
  readonly view: View;
  /** 0 unless it says otherwise. */
  readonly exitCode?: ExitCode;
  /** What goes on after the outcome was printed, until it is stopped. */
  readonly running?: Promise<void>;
}

export type Handler = (context: CommandContext) => Promise<Outcome>;

/** Runs the handler of a command from start to exit code: opens the context, prints the outcome. @throws what it threw */
export type Invoke = (command: Command, handler: Handler) => Promise<void>;

/** What a command's file exports: declares options, arguments and help on `command`, and the action that is invoked. */
export type Define = (command: Command, invoke: Invoke) => void;

/** Help text: one example a line, with what it does. */
export function examples(...lines: readonly (readonly [line: string, effect: string])[]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return `\nExamples:\n${lines.map(([line, effect]) => `  ${line.padEnd(width)}  ${effect}`).join("\n")}`;
}

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
