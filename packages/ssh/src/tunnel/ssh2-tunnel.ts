import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";

import type { ClientChannel } from "ssh2";

import { messageOf, unlessAborted } from "@ovault/contract";

import { TunnelError } from "../errors.ts";
import { openConnection, type RemoteConnection } from "../session/remote-connection.ts";
import type { SshServer } from "../ssh-server.ts";
import { listenLocally } from "./local-listener.ts";
import type { Tunnel } from "./tunnel.ts";

/**
 * Carries the data through this process, on a connection of its own.
 * @throws TunnelError when the server forwards nothing to the socket; what SshSession.open throws
 */
export async function openSsh2Tunnel(server: SshServer, remoteSocket: string, signal: AbortSignal): Promise<Tunnel> {
  const connection = await openConnection(server, signal);
  try {
    // Finds out what the server says now, while the caller can still choose another way.
    const probe = await unlessAborted(forward(connection, remoteSocket), signal);
    probe.destroy();
    const listener = await listenLocally(async (socket) => {
      await join(socket, await forward(connection, remoteSocket));
    });
    const ended = connection.lost.then(async (reason) => {
      await listener.close();
      return reason;
    });
    return {
      address: { path: listener.path },
      carrier: "ssh2",
      ended,
      close: async () => {
        connection.close();
        await ended;
      },
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function forward({ client, lost }: RemoteConnection, remoteSocket: string): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  void lost.then((reason) => reject(new TunnelError(`the connection is lost: ${reason}`, { retry: "transient" })));
  client.openssh_forwardOutStreamLocal(remoteSocket, (error, channel) => {
    if (error === undefined) resolve(channel);
    else reject(notForwarded(remoteSocket, messageOf(error)));
  });
  return await promise;
}

/** Passes bytes on in both directions until both have ended, or one fails. */
export async function join(socket: Socket, channel: ClientChannel): Promise<void> {
  await Promise.all([pipeline(socket, channel), pipeline(channel, socket)]);
}

function notForwarded(remoteSocket: string, why: string): TunnelError {
  return new TunnelError(`the server opens no way to ${remoteSocket}: ${why}`, {
    context: { remoteSocket },
    hint: "sshd_config needs `AllowStreamLocalForwarding yes`, or `local`; and the server behind the socket has to run.",
  });
}
