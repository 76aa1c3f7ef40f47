import { quoted, type SecretsHost, serverSettings, sshServer, SshSession } from "@ovault/ssh";

import type { CommandOutput } from "./command-output.ts";
import type { Environment } from "./environment.ts";
import type { Outcome } from "./outcome.ts";
import type { CommandOptions, GuestServer } from "./schema.ts";
import { shellLine } from "./shell-words.ts";

/** Silence of the server after which it counts as unreachable. */
const SILENCE_MS = 60_000;

/** Processes that a command left running may hold its output open. */
const DRAIN_MS = 1_000;

export interface GuestRun {
  readonly command: Pick<CommandOptions, "run">;
  readonly server: GuestServer;
  readonly environment: Environment;
  readonly output: CommandOutput;
  readonly host: SecretsHost;
}

/**
 * Runs a command over SSH: a program as it is, a line in the user's login shell. After an abort, its processes end
 * before this resolves, or the grace time is over. @throws SshError when the server cannot be used
 */
export async function runInGuest(options: GuestRun, signal: AbortSignal): Promise<Outcome> {
  const { command, server, environment, output, host } = options;
  const settings = await sshServer(await serverSettings(server, host), SILENCE_MS);
  await using session = await SshSession.open(settings, signal);
  const following = {
    signal,
    drainMs: DRAIN_MS,
    onOutput: (stream: "stdout" | "stderr", bytes: Buffer) => output.add(stream, bytes),
  };
  // Servers never answer requests for variables: only the configuration knows whether they accept them.
  const end = server.acceptsEnvironment
    ? await session.followLine(shellLine(command.run, {}), { ...following, environment })
    : await session.follow(shellLine(inLoginShell(command.run), environment), [], following);
  return { code: end.exitCode ?? null, signal: end.signal ?? null };
}

function inLoginShell(run: CommandOptions["run"]): CommandOptions["run"] {
  return typeof run === "string" ? `exec "\${SHELL:-/bin/sh}" -c ${quoted(run)}` : run;
}
