import type { Command } from "commander";

/** Accepted by every command, before or after its name. */
export function withCommonOptions(command: Command): Command {
  return command
    .option("--config <file>", "configuration (default: $OVAULT_CONFIG or ./ovault.yaml)")
    .option("--json", "print the result as JSON, and errors as JSON on stderr")
    .option("--debug", "show calls to the destination, and stack traces of errors");
}
