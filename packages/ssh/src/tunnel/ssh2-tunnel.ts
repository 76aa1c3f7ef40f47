import { pipeline } from "node:stream/promises";

import { openConnection } from "../session/remote-connection.ts";
import type { SshServer } from "../ssh-server.ts";
import { forwardedChannel } from "./forwarded-channel.ts";
import { listenLocally } from "./local-listener.ts";
import type { Tunnel } from "./tunnel.ts";

/** Carries the data through this process, on a connection of its own. @throws what SshSession.open throws */
export async function openSsh2Tunnel(server: SshServer, remoteSocket: string, signal: AbortSignal): Promise<Tunnel> {
  const connection = await openConnection(server, signal);
  try {
    const listener = await listenLocally(async (socket) => {
      const channel = await forwardedChannel(connection, remoteSocket);
      await Promise.all([pipeline(socket, channel), pipeline(channel, socket)]);
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
