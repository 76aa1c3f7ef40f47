import { connect as connectSocket, type Socket } from "node:net";

import type { AnyAuthMethod, Client, ConnectConfig, ServerHostKeyAlgorithm } from "ssh2";

import { unlessAborted } from "@ovault/contract";

import { CIPHERS, HOST_KEY_ALGORITHMS } from "./algorithms.ts";
import { type HostKeyError, SshError, SshLoginError, SshUnavailableError } from "./errors.ts";
import type { HostTrust } from "./host-trust.ts";
import type { SshServer } from "./ssh-server.ts";

/** Keeps entries in firewalls on the way alive, and detects that the other side is gone. */
const KEEPALIVE_MS = 30_000;

/** Questions without an answer, within the server's longest silence, after which the connection counts as lost. */
const UNANSWERED = 3;

export interface SshConnection {
  /** Logged in. Has an error listener, so that no error ends the process; callers add their own. */
  readonly client: Client;
  readonly socket: Socket;
  /** The key that the server proved itself with. */
  readonly hostKey: Buffer;
}

/**
 * Logs in. Loads ssh2 on first use. The signal only ends the attempt; the caller ends the connection, by its socket.
 * @throws HostKeyError before anything of ours is sent, SshLoginError when the login is refused, SshUnavailableError,
 * SshError
 */
export async function connectSsh(server: SshServer, signal: AbortSignal): Promise<SshConnection> {
  const { host, port, user, login } = server;
  const [{ Client }, trust] = await Promise.all([import("ssh2"), server.trust()]);
  signal.throwIfAborted();
  let refusal: HostKeyError | undefined;
  let hostKey: Buffer = Buffer.alloc(0);
  const socket = connectSocket({
    host,
    port,
    // Otherwise half of the packets wait for an answer to the other half, at a third of the speed.
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  });
  const client = new Client();
  const config: ConnectConfig = {
    sock: socket,
    username: user,
    authHandler: [...login],
    // All steps together have one limit, below.
    readyTimeout: 0,
    algorithms: { cipher: [...CIPHERS], serverHostKey: knownFirst(trust) },
    keepaliveInterval: server.timeoutMs / (UNANSWERED + 1),
    keepaliveCountMax: UNANSWERED,
    hostVerifier: (key: Buffer) => {
      hostKey = key;
      refusal = trust.refusal(key);
      return refusal === undefined;
    },
  };
  try {
    await unlessAborted(logIn(client, config, server), signal);
    return { client, socket, hostKey };
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw refusal ?? mapConnectError(error, server);
  }
}

async function logIn(client: Client, config: ConnectConfig, { timeoutMs }: SshServer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not logged in within ${timeoutMs} ms`)), timeoutMs);
  // The listeners stay: an unhandled error would end the process.
  client.on("error", reject);
  client.on("close", () => reject(new Error("the server ended the connection")));
  client.on("ready", resolve);
  try {
    client.connect(config);
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** A server with several keys proves itself with the first in this list that it has. */
function knownFirst({ types }: HostTrust): Record<"remove" | "prepend" | "append", ServerHostKeyAlgorithm[]> {
  const known = types.flatMap((type) => HOST_KEY_ALGORITHMS.get(type) ?? []);
  // In this order: `prepend` ignores what the list already contains.
  return { remove: known, prepend: known, append: [] };
}

function mapConnectError(error: unknown, { host, port, user, login }: SshServer): SshError {
  if (error instanceof SshError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const level = error instanceof Error && "level" in error ? error.level : undefined;
  const options = { cause: error, context: { host, port, user } };
  if (level === "client-authentication" || level === "agent" || /authentication failures/i.test(message)) {
    return new SshLoginError(`${host}:${port} does not let ${user} in: ${message}`, {
      ...options,
      hint: loginHint(login, user),
    });
  }
  if (level === "handshake") {
    return new SshError(`${host}:${port} and ovault do not come to terms: ${message}`, {
      ...options,
      hint: "The server may be too old, or its sshd_config allows too few algorithms.",
    });
  }
  return new SshUnavailableError(`cannot connect to ${host}:${port}: ${message}`, {
    ...options,
    retry: "transient",
    hint: `Does \`ssh -p ${port} ${user}@${host}\` come through from this machine?`,
  });
}

function loginHint(login: readonly AnyAuthMethod[], user: string): string {
  switch (login[0]?.type) {
    case "publickey":
      return `Is the public half of the key in ~${user}/.ssh/authorized_keys on the server? \`ssh-keygen -y -f KEY\` shows it.`;
    case "agent":
      return "Is the agent running that SSH_AUTH_SOCK leads to, and does it hold the key? `ssh-add -l` shows what it has.";
    default:
      return "Is the password right, and does sshd_config allow PasswordAuthentication?";
  }
}
