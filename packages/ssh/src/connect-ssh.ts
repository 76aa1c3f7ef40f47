import { connect as connectSocket, type Socket } from "node:net";

import type { Client, ConnectConfig } from "ssh2";

import { unlessAborted } from "@ovault/contract";

import { CIPHERS, HOST_KEY_ALGORITHMS } from "./algorithms.ts";
import { mapConnectError } from "./connect-error.ts";
import { HostKeyError, SshError } from "./errors.ts";
import type { HostTrust } from "./host-trust.ts";
import type { SshServer } from "./ssh-server.ts";

/** Keeps entries in firewalls on the way alive, and detects that the other side is gone. */
const KEEPALIVE_MS = 30_000;

/** Questions without an answer, within the server's longest silence, after which the connection counts as lost. */
const UNANSWERED = 3;

export interface ConnectOptions {
  /**
   * Ask the server at times whether it is there: one that says nothing for its time limit counts as lost, also when
   * nothing is under way. Such a connection keeps the process alive until it is closed.
   */
  readonly asks: boolean;
}

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
export async function connectSsh(
  server: SshServer,
  signal: AbortSignal,
  { asks }: ConnectOptions = { asks: false },
): Promise<SshConnection> {
  const trust = await server.trust();
  try {
    return await connectOnce(server, { trust, asks, serverHostKey: knownFirst(trust) }, signal);
  } catch (error) {
    if (!(error instanceof HostKeyError) || trust.types !== undefined) throw error;
    // The fingerprint may be of another key than the one that the server prefers.
    for (const [type, algorithms] of HOST_KEY_ALGORITHMS) {
      if (type === error.context["type"]) continue;
      try {
        return await connectOnce(server, { trust, asks, serverHostKey: [...algorithms] }, signal);
      } catch (other) {
        // A server without a key of this type does not come to terms.
        const hasNoSuchKey =
          other instanceof HostKeyError || (other instanceof SshError && other.code === SshError.code);
        if (!hasNoSuchKey) throw other;
      }
    }
    throw error;
  }
}

async function connectOnce(
  server: SshServer,
  { trust, asks, serverHostKey }: ConnectOptions & { readonly trust: HostTrust; readonly serverHostKey: KeyRequest },
  signal: AbortSignal,
): Promise<SshConnection> {
  const { host, port, user, login } = server;
  const { Client } = await import("ssh2");
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
    algorithms: { cipher: [...CIPHERS], serverHostKey },
    ...(asks && { keepaliveInterval: server.timeoutMs / (UNANSWERED + 1), keepaliveCountMax: UNANSWERED }),
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

type KeyRequest = Required<NonNullable<ConnectConfig["algorithms"]>>["serverHostKey"];

/** A server with several keys proves itself with the first in this list that it has. */
function knownFirst({ types = [] }: HostTrust): KeyRequest {
  const known = types.flatMap((type) => HOST_KEY_ALGORITHMS.get(type) ?? []);
  // In this order: `prepend` ignores what the list already contains.
  return { remove: known, prepend: known, append: [] };
}
