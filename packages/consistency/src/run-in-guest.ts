import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import { abortable, connectSsh, type SecretsHost, serverSettings, type SshConnection, sshServer } from "@ovault/ssh";

import type { CommandOutput } from "./command-output.ts";
import type { Environment } from "./environment.ts";
import type { Outcome } from "./outcome.ts";
import type { CommandOptions, GuestServer } from "./schema.ts";
import { shellLine } from "./shell-words.ts";

/** A server that says nothing for so long while it lets us in is not there. */
const LOGIN_MS = 60_000;
/** Between being asked to end and being made to, and between that and giving up on an answer. */
const GRACE_MS = 5_000;

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
 * Runs a command over SSH, by the login shell of the user. When the signal is aborted, its processes are told to end, and the
 * connection is cut if they do not. Rejects with SshError when the server cannot be used.
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
  // Requests for variables are never answered: whether they were heeded, only the configuration can know.
  const line = shellLine(command.run, server.acceptsEnvironment ? {} : environment);
  const channel = await abortable(open(client, line, environment), signal);
  let outcome: Outcome = { code: null, signal: null };
  channel.on("exit", (code: number | null, by?: string) => {
    outcome = { code, signal: by ?? null };
  });
  channel.on("data", (bytes: Buffer) => output.add("stdout", bytes));
  channel.stderr.on("data", (bytes: Buffer) => output.add("stderr", bytes));
  const closed = Promise.race([once(channel, "close"), once(client, "close")]);
  closed.catch(() => undefined);
  try {
    await abortable(closed, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    await end(channel, closed);
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

/** Servers hand the signals on to all processes of the session, if they are not too old (OpenSSH before 7.9). */
async function end(channel: Channel, closed: Promise<unknown>): Promise<void> {
  for (const name of ["TERM", "KILL"]) {
    channel.signal(name);
    const isOver = await Promise.race([closed.then(() => true), delay(GRACE_MS, false)]);
    if (isOver) return;
  }
}
