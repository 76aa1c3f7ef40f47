import type { Client } from "ssh2";

import { connectSsh } from "../connect-ssh.ts";
import type { SshServer } from "../ssh-server.ts";

/** A connection that knows whether it is gone. */
export interface RemoteConnection {
  readonly client: Client;
  /** The key that the server proved itself with. */
  readonly hostKey: Buffer;
  /** Resolves to the reason when the connection is gone. Never rejects. */
  readonly lost: Promise<string>;
  /** Undefined while it is there. */
  lossReason(): string | undefined;
  close(): void;
}

/** @throws HostKeyError, SshLoginError, SshUnavailableError, SshError; the signal's reason */
export async function openConnection(server: SshServer, signal: AbortSignal): Promise<RemoteConnection> {
  const { client, socket, hostKey } = await connectSsh(server, signal, { asks: true });
  const { promise: lost, resolve } = Promise.withResolvers<string>();
  let reason: string | undefined;
  const lose = (why: string): void => {
    reason ??= why;
    resolve(reason);
    socket.destroy();
  };
  client.on("error", (error) => lose(error.message));
  client.on("close", () => lose("the server closed the connection"));
  return { client, hostKey, lost, lossReason: () => reason, close: () => lose("ovault ended it") };
}
