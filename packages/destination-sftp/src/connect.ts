import { connect as connectSocket } from "node:net";

import type { AnyAuthMethod, Client, ConnectConfig, ServerHostKeyAlgorithm, SFTPWrapper } from "ssh2";

import { StoreError, StorePermissionError, StoreUnavailableError } from "@ovault/core";

import { abortable } from "./abortable.ts";
import type { HostKeyError } from "./host-key-error.ts";
import type { HostTrust } from "./host-trust.ts";
import { SftpConnection } from "./sftp-connection.ts";

/** Keeps the memory of firewalls on the way fresh, and finds out that the other side is gone. */
const KEEPALIVE_MS = 30_000;

/** The algorithms to ask for when a server is known by a key of this type. Others are never asked for on purpose. */
const ALGORITHMS: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
]);

export interface SshServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly login: readonly AnyAuthMethod[];
  /** Asked anew for each connection: a person may have made the server known meanwhile. */
  readonly trust: () => Promise<HostTrust>;
  /** How long the server may say nothing. */
  readonly timeoutMs: number;
}

/**
 * Logs in and starts SFTP. Loads ssh2, which nothing before this needs. The signal only ends the attempt.
 * @throws HostKeyError before anything of ours is sent, StorePermissionError when the login is refused,
 *   StoreUnavailableError, StoreError when the server has no SFTP.
 */
export async function connect(server: SshServer, signal: AbortSignal): Promise<SftpConnection> {
  const { host, port, user, login, timeoutMs } = server;
  const [{ Client }, trust] = await Promise.all([import("ssh2"), server.trust()]);
  signal.throwIfAborted();
  let refusal: HostKeyError | undefined;
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
    algorithms: { serverHostKey: knownFirst(trust) },
    hostVerifier: (key: Buffer) => {
      refusal = trust.refusal(key);
      return refusal === undefined;
    },
  };
  try {
    const sftp = await abortable(startSftp(client, config, server), signal);
    return new SftpConnection({ client, sftp, socket, server: `${host}:${port}`, timeoutMs });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw refusal ?? mapConnectError(error, server);
  }
}

async function startSftp(client: Client, config: ConnectConfig, server: SshServer): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  const { timeoutMs } = server;
  const timer = setTimeout(() => reject(new Error(`not logged in within ${timeoutMs} ms`)), timeoutMs);
  // They stay for good: an error that nobody listens to would end the process.
  client.on("error", reject);
  client.on("close", () => reject(new Error("the server ended the connection")));
  client.on("ready", () => {
    client.sftp((error, sftp) => {
      if (error) reject(withoutSftp(error, server));
      else resolve(sftp);
    });
  });
  try {
    client.connect(config);
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** A server with several keys proves itself with the first in this list that it has. */
function knownFirst({ types }: HostTrust): Record<"remove" | "prepend" | "append", ServerHostKeyAlgorithm[]> {
  const known = types.flatMap((type) => ALGORITHMS.get(type) ?? []);
  // In this order: what is in the list already is not put in front.
  return { remove: known, prepend: known, append: [] };
}

function withoutSftp(cause: Error, { host, port }: SshServer): StoreError {
  return new StoreError(`${host}:${port} does not start SFTP: ${cause.message}`, {
    cause,
    context: { host, port },
    hint: "The server needs the subsystem sftp (`Subsystem sftp internal-sftp` in sshd_config), and the user's shell must not print anything.",
  });
}

function mapConnectError(error: unknown, { host, port, user, login }: SshServer): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const level = error instanceof Error && "level" in error ? error.level : undefined;
  const options = { cause: error, context: { host, port, user } };
  if (level === "client-authentication" || level === "agent" || /authentication failures/i.test(message)) {
    return new StorePermissionError(`${host}:${port} does not let ${user} in: ${message}`, {
      ...options,
      hint: loginHint(login, user),
    });
  }
  if (level === "handshake") {
    return new StoreError(`${host}:${port} and ovault do not come to terms: ${message}`, {
      ...options,
      hint: "The server may be too old, or its sshd_config allows too few algorithms.",
    });
  }
  return new StoreUnavailableError(`cannot connect to ${host}:${port}: ${message}`, {
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
