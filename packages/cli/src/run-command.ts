import { resolve } from "node:path";

import { Redactor, reportWarningsTo } from "@ovault/core";
import type { Command } from "commander";

import type { CommandContext, Handler } from "./command.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { Interruption } from "./interruption.ts";
import { layOut } from "./output/layout.ts";
import { optionOf } from "./output/option-of.ts";
import { RunDisplay } from "./output/run-display.ts";
import { Terminal } from "./output/terminal.ts";
import { errorReport } from "./report-error.ts";

/** The options that every command has. */
interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the handler of a command and prints its outcome or error. Never throws. */
export async function runCommand(command: Command, handler: Handler): Promise<ExitCode> {
  const { config, json = false, debug = false } = command.optsWithGlobals<CommonOptions>();
  const redactor = new Redactor();
  const terminal = new Terminal({ out: process.stdout, err: process.stderr }, redactor, { quiet: json });
  reportWarningsTo((text) => terminal.note(`warning: ${text}`));
  using interruption = new Interruption(terminal);
  const context: CommandContext = {
    signal: interruption.signal,
    configFile: resolve(config ?? (process.env["OVAULT_CONFIG"] || "ovault.yaml")),
    debug,
    terminal,
    reporter: terminal,
    emit: new RunDisplay(terminal).show,
    field: optionOf,
    redactor,
    interruption,
  };
  try {
    const { data, view, exitCode, error, running } = await handler(context);
    // One line for what goes on: a program that reads it cannot wait for the end.
    const indent = running === undefined ? 2 : 0;
    terminal.print(json ? `${JSON.stringify(data, undefined, indent)}\n` : layOut(view));
    await running;
    if (error !== undefined) throw error;
    return exitCode ?? EXIT.ok;
  } catch (error) {
    // After an abort, any error counts as the cancellation.
    const report = errorReport(interruption.signal.aborted ? interruption.signal.reason : error, { json, debug });
    terminal.complain(report.text);
    return report.exitCode;
  }
}
