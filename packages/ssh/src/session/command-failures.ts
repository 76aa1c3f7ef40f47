import { RemoteCommandError, SshError, SshUnavailableError } from "../errors.ts";
import type { SshServer } from "../ssh-server.ts";

/** Shown of what a remote command printed. */
const TAIL_CHARACTERS = 2_000;
const CONTROLS = /\p{Cc}+/gu;

/** How a remote command ended: with a code, by a signal, or unknown, as when the connection was lost. */
export interface RemoteEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Why the connection was lost before the command ended. */
  readonly lost: string | undefined;
}

export function commandFailed(
  server: SshServer,
  { how, stderr, exitCode }: { how: string; stderr: string; exitCode?: number | undefined },
): RemoteCommandError {
  const told = lastWords(stderr);
  return new RemoteCommandError(`a command on ${server.host} ${how}${told === "" ? "" : `: ${told}`}`, {
    context: { ...contextOf(server), ...(exitCode !== undefined && { exitCode }) },
    exitCode,
  });
}

/** For a command that ended by itself, though not as wished. */
export function describeEnd({ exitCode, signal }: RemoteEnd): string {
  if (exitCode !== undefined) return `ended with exit code ${exitCode}`;
  return signal === undefined ? "ended, it is unknown how" : `was ended by ${signal}`;
}

export function shellFailed(server: SshServer, end: RemoteEnd, noise: string): SshError {
  if (end.lost !== undefined) return connectionLost(server, end.lost);
  const told = lastWords(noise);
  const message = `the login shell of ${server.user} on ${server.host} did not run /bin/sh: it ${describeEnd(end)}`;
  return new SshError(told === "" ? message : `${message} (${told})`, {
    context: contextOf(server),
    hint: "The account needs a login shell that runs commands, and no forced command (ForceCommand, `command=` in authorized_keys).",
  });
}

export function connectionLost(server: SshServer, why: string): SshUnavailableError {
  return new SshUnavailableError(`lost the connection to ${server.host}:${server.port}: ${why}`, {
    retry: "transient",
    context: contextOf(server),
    hint: "Does the network hold, and does the server run? Its log says whether it ended the connection.",
  });
}

export function channelRefused(server: SshServer, why: string): SshError {
  return new SshError(`${server.host}:${server.port} runs no command for ${server.user}: ${why}`, {
    context: contextOf(server),
    hint: "sshd_config or authorized_keys may limit what this user may do (MaxSessions 0).",
  });
}

function contextOf({ host, port, user }: SshServer): { host: string; port: number; user: string } {
  return { host, port, user };
}

/** In one line, without control characters. */
function lastWords(text: string): string {
  return text.trim().slice(-TAIL_CHARACTERS).replaceAll(CONTROLS, " ").trim();
}
