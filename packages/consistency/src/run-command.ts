import { messageOf, observe, OvaultError, type RunHooks } from "@ovault/contract";
import type { SecretsHost } from "@ovault/ssh";

import { CommandOutput } from "./command-output.ts";
import { environmentOf, type Occasion } from "./environment.ts";
import { CommandError } from "./errors.ts";
import { describeFailure, type Outcome } from "./outcome.ts";
import { runInGuest } from "./run-in-guest.ts";
import { runLocal } from "./run-local.ts";
import type { CommandOptions } from "./schema.ts";

export interface CommandHost extends SecretsHost {
  /** Masks secrets in what commands print. */
  readonly redact: (text: string) => string;
}

/**
 * Runs one command until it ends, or is ended by its timeout or the signal; reports its output as phases of the run.
 * @throws CommandError when it could not be run, failed or timed out; the signal's reason
 */
export async function runCommand(
  command: CommandOptions,
  { occasion, hooks, host, signal }: { occasion: Occasion; hooks: RunHooks; host: CommandHost; signal: AbortSignal },
): Promise<void> {
  const { side } = occasion;
  const title = titleOf(command);
  const show = (detail: string): void =>
    observe(hooks.phase, { phase: `${side} snapshot`, detail: `${title}: ${detail}` });
  const output = new CommandOutput({ redact: host.redact, show });
  const deadline = AbortSignal.timeout(command.timeoutSeconds * 1_000);
  const stop = AbortSignal.any([signal, deadline]);
  show(command.ssh === undefined ? "starts" : `starts on ${command.ssh.host}`);
  let problem: string | undefined;
  let cause: unknown;
  try {
    signal.throwIfAborted();
    const outcome = await run(command, { occasion, host, output, stop });
    problem = deadline.aborted ? lateness(command, outcome) : describeFailure(outcome);
  } catch (error) {
    problem = deadline.aborted ? `it was not under way after ${command.timeoutSeconds} s` : messageOf(error);
    cause = error;
  }
  output.end();
  signal.throwIfAborted();
  if (problem === undefined) return;
  const told = output.tail === "" ? "" : ` (${output.tail})`;
  throw new CommandError(host.redact(`the command ${title} ${side} the snapshot failed: ${problem}${told}`), {
    cause,
    context: { command: title, side },
    hint: (cause instanceof OvaultError ? cause.hint : undefined) ?? "What it printed stands in the output of the run.",
  });
}

async function run(
  command: CommandOptions,
  { occasion, host, output, stop }: { occasion: Occasion; host: CommandHost; output: CommandOutput; stop: AbortSignal },
): Promise<Outcome> {
  const environment = await environmentOf(command.environment, occasion, host);
  const { ssh: server } = command;
  if (server !== undefined) return await runInGuest({ command, server, environment, output, host }, stop);
  return await runLocal({ command, directory: host.baseDirectory, environment, output }, stop);
}

function titleOf({ name, run: line }: CommandOptions): string {
  if (name !== undefined) return name;
  const [program = ""] = typeof line === "string" ? line.split(/\s/, 1) : line;
  return program;
}

function lateness({ timeoutSeconds, ssh }: CommandOptions, { code, signal }: Outcome): string {
  const late = `it took longer than ${timeoutSeconds} s`;
  if (ssh !== undefined && code === null && signal === null) return `${late}, and may still be running there`;
  return `${late}, and was ended`;
}
