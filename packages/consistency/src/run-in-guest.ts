import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import { unlessAborted } from "@ovault/contract";
import { connectSsh, type SecretsHost, serverSettings, type SshConnection, sshServer } from "@ovault/ssh";

import type { CommandOutput } from "./command-output.ts";
import type { Environment } from "./environment.ts";
import { GRACE_SECONDS, guardedLine } from "./guarded-line.ts";
import type { Outcome } from "./outcome.ts";
import type { CommandOptions, GuestServer } from "./schema.ts";
import { shellLine } from "./shell-words.ts";

/** Silence during login after which the server counts as unreachable. */
const LOGIN_MS = 60_000;
/** For a command to end after the request: the guard's grace time, plus some for the answer to arrive. */
const END_MS = (GRACE_SECONDS + 5) * 1_000;

/** Processes that a command left running may hold its output open. */
const DRAIN_MS = 1_000;

type Client = SshConnection["client"];
type Channel = Parameters<NonNullable<Parameters<Client["exec"]>[1]>>[1];

export interface GuestRun {
  readonly command: Pick<CommandOptions, "run">;
  readonly server: GuestServer;
  readonly environment: Environment;
  readonly output: CommandOutput;
  readonly host: SecretsHost;
}

/**
 * Runs a command over SSH, in the user's login shell. After an abort, asks its processes to end, and closes the
 * connection when they have or the grace time is over. @throws SshError when the server cannot be used
 */
export async function runInGuest(options: GuestRun, signal: AbortSignal): Promise<Outcome> {
  const { server, host } = options;
  const settings = await sshServer(await serverSettings(server, host), LOGIN_MS);
  const connection = await connectSsh(settings, signal);
  try {
    return await execute(connection.client, options, signal);
  } finally {
    connection.socket.destroy();
  }
}

async function execute(client: Client, options: GuestRun, signal: AbortSignal): Promise<Outcome> {
  const { command, server, environment, output } = options;
  // Servers never answer requests for variables: only the configuration knows whether they accept them.
  const line = server.acceptsEnvironment
    ? shellLine(command.run, {})
    : guardedLine(shellLine(command.run, environment));
  const channel = await unlessAborted(open(client, line, environment), signal);
  let outcome: Outcome = { code: null, signal: null };
  channel.on("exit", (code: number | null, by?: string) => {
    outcome = { code, signal: by ?? null };
  });
  channel.on("data", (bytes: Buffer) => output.add("stdout", bytes));
  channel.stderr.on("data", (bytes: Buffer) => output.add("stderr", bytes));
  const closed = Promise.race([once(channel, "close"), once(client, "close")]);
  const drained = once(channel, "exit").then(() => Promise.race([closed, delay(DRAIN_MS)]));
  const ended = Promise.race([closed, drained]);
  ended.catch(() => undefined);
  drained.catch(() => undefined);
  try {
    await unlessAborted(ended, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    await end(channel, ended);
  }
  return outcome;
}

async function open(client: Client, line: string, environment: Environment): Promise<Channel> {
  const { promise, resolve, reject } = Promise.withResolvers<Channel>();
  client.once("close", () => reject(new Error("the server ended the connection")));
  client.exec(line, { env: environment }, (error, channel) => {
    if (error) reject(error);
    else resolve(channel);
  });
  return await promise;
}

async function end(channel: Channel, ended: Promise<unknown>): Promise<void> {
  channel.signal("TERM");
  channel.end();
  await Promise.race([ended, delay(END_MS, undefined, { ref: false })]);
}
