import type { SshSession } from "../session/ssh-session.ts";
import { openSsh2Tunnel } from "./ssh2-tunnel.ts";
import type { Tunnel } from "./tunnel.ts";

export interface TunnelOptions {
  /** Only ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Makes a unix socket on the server reachable as a local one, on a connection of its own. Connects once to see whether
 * the server lets it: a server behind the socket has to survive a client that leaves at once (qemu-nbd `--persistent`).
 * @throws TunnelError when there is no way to the socket; what SshSession.open throws
 */
export async function openTunnel(session: SshSession, remoteSocket: string, options: TunnelOptions): Promise<Tunnel> {
  return await openSsh2Tunnel(session.server, remoteSocket, options.signal);
}
