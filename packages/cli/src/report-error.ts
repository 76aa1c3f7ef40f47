import { UsageError } from "@ovault/contract";
import { Redactor } from "@ovault/core";
import { CommanderError, type Command } from "commander";

import type { ExitCode } from "./exit.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { errorJson, errorText } from "./output/error-text.ts";
import { Terminal } from "./output/terminal.ts";

/** The text of an error, and the exit code. */
export function errorReport(
  error: unknown,
  { json, debug }: { readonly json: boolean; readonly debug: boolean },
): { readonly text: string; readonly exitCode: ExitCode } {
  return { text: json ? errorJson(error) : errorText(error, debug), exitCode: exitCodeOf(error) };
}

/** Reports an invalid command line of `program`. */
export function reportError(error: unknown, program: Command, args: readonly string[]): ExitCode {
  const report = errorReport(asUsageError(error, program, args), {
    json: args.includes("--json"),
    debug: args.includes("--debug"),
  });
  new Terminal({ out: process.stdout, err: process.stderr }, new Redactor(), { quiet: false }).complain(report.text);
  return report.exitCode;
}

function asUsageError(error: unknown, program: Command, args: readonly string[]): unknown {
  if (!(error instanceof CommanderError)) return error;
  const message =
    error.code === "commander.help" ? "no command given" : error.message.replace(/^error: /, "").replaceAll("\n", " ");
  return new UsageError(message, { hint: `See \`${commandIn(program, args)} --help\`.` });
}

/** The command that these arguments name, as far as there is one. */
function commandIn(program: Command, args: readonly string[]): string {
  const names = [program.name()];
  let command: Command | undefined = program;
  for (const arg of args.filter((one) => !one.startsWith("-"))) {
    command = command.commands.find((one) => one.name() === arg);
    if (command === undefined) break;
    names.push(arg);
  }
  return names.join(" ");
}
