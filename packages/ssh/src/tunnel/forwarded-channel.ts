import type { ClientChannel } from "ssh2";

import { messageOf } from "@ovault/contract";

import { TunnelError } from "../errors.ts";
import type { RemoteConnection } from "../session/remote-connection.ts";

/**
 * One connection to a unix socket of the server. @throws TunnelError when the server does not make it: OpenSSH does not
 * say whether its configuration forbids it or the socket is not there
 */
export async function forwardedChannel(
  { client, lost }: RemoteConnection,
  remoteSocket: string,
): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  void lost.then((reason) => reject(new TunnelError(`the connection is lost: ${reason}`, { retry: "transient" })));
  client.openssh_forwardOutStreamLocal(remoteSocket, (error, channel) => {
    if (error === undefined) resolve(channel);
    else reject(new TunnelError(`the server does not connect to ${remoteSocket}: ${messageOf(error)}`));
  });
  return await promise;
}
