import type { JobContext, OperationContext } from "@ovault/operations";
import type { Command } from "commander";

import type { ExitCode } from "./exit.ts";
import type { Terminal } from "./output/terminal.ts";
import type { View } from "./output/view.ts";

/** The inputs of every command handler. */
export interface CommandContext extends OperationContext, JobContext {
  /** The same as `reporter`. */
  readonly terminal: Terminal;
  /** A second Ctrl-C prints what would be left behind. */
  readonly interruption: { remainder: () => Promise<readonly string[]> };
}

/** The result of a handler: the same for programs and for people. */
export interface Outcome {
  /** Printed by --json. Plain data. */
  readonly data: unknown;
  readonly view: View;
  /** Default 0. */
  readonly exitCode?: ExitCode;
  /** What kept the command from doing all that was asked. Reported after the outcome; its exit code counts. */
  readonly error?: unknown;
  /** Continues after the outcome was printed, until it is stopped. */
  readonly running?: Promise<void>;
}

export type Handler = (context: CommandContext) => Promise<Outcome>;

/**
 * Runs the handler of a command from start to exit code: opens the context, prints the outcome. @throws the error of
 * the handler
 */
export type Invoke = (command: Command, handler: Handler) => Promise<void>;

/** The export of a command's file: declares options, arguments and help on `command`, and the invoked action. */
export type Define = (command: Command, invoke: Invoke) => void;

/** Help text: one example per line, with its effect. */
export function examples(...lines: readonly (readonly [line: string, effect: string])[]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return `\nExamples:\n${lines.map(([line, effect]) => `  ${line.padEnd(width)}  ${effect}`).join("\n")}`;
}

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
