import { CommanderError } from "commander";

import { EXIT } from "./exit.ts";
import { createProgram } from "./program.ts";

/** Runs one command line. Sets the exit code and never throws. */
export async function main(args: readonly string[]): Promise<void> {
  // Every connection of ovault verifies regardless of the environment; this covers plugins and libraries too.
  delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  // A reader that closes early (`ovault points | head`) is no error. A command that writes data there listens itself.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (process.stdout.listenerCount("error") > 1) return;
    if (error.code === "EPIPE") process.exit(EXIT.ok);
    throw error;
  });
  // Loads everything beyond the command line on demand, so that help appears at once.
  const program = createProgram(async (command, handler) => {
    const { runCommand } = await import("./run-command.ts");
    process.exitCode = await runCommand(command, handler);
  });
  try {
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
  } catch (error) {
    // Help and version end this way too.
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const { reportError } = await import("./report-error.ts");
    process.exitCode = reportError(error, program, args);
  }
}
