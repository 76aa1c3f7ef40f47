import { unlessAborted } from "@ovault/contract";

import { TunnelError } from "../errors.ts";
import type { RemoteConnection } from "../session/remote-connection.ts";
import type { SshSession } from "../session/ssh-session.ts";
import { openExecBridge } from "./exec-bridge.ts";
import { forwardedChannel } from "./forwarded-channel.ts";
import { openOpenSshTunnel } from "./openssh-tunnel.ts";
import { openSsh2Tunnel } from "./ssh2-tunnel.ts";
import type { Tunnel } from "./tunnel.ts";

/** Paths that mean nothing else to ssh and socat, and fit the address of a socket. */
const PLAIN_PATH = /^\/[\w./-]{1,100}$/;

/** The ways to carry data, best first. */
const CARRIERS = {
  openssh: ({ session, hostKey, remoteSocket }, signal) =>
    openOpenSshTunnel({ server: session.server, hostKey, remoteSocket }, signal),
  ssh2: ({ session, remoteSocket }, signal) => openSsh2Tunnel(session.server, remoteSocket, signal),
  bridge: ({ session, remoteSocket }, signal) => openExecBridge(session, remoteSocket, signal),
} as const satisfies Record<string, (wish: TunnelWish, signal: AbortSignal) => Promise<Tunnel>>;

interface TunnelWish {
  readonly session: SshSession;
  /** The key that the server has just proved itself with. */
  readonly hostKey: Buffer;
  readonly remoteSocket: string;
}

export type Carrier = keyof typeof CARRIERS;

const ALL: readonly Carrier[] = ["openssh", "ssh2", "bridge"];

export interface TunnelOptions {
  /** Only ends the attempt. */
  readonly signal: AbortSignal;
  /** The ways to try, in this order; default: all. */
  readonly carriers?: readonly Carrier[];
}

/**
 * Makes a unix socket on the server reachable as a local one, on connections of its own: the system's ssh command
 * carries the data where there is one, else ssh2. Where the server forwards nothing, a command on it passes the data on.
 *
 * Connects once to see whether the server forwards: what listens at the socket has to survive a client that leaves at
 * once (qemu-nbd `--persistent`).
 * @throws TunnelError when there is no way to the socket; what SshSession.open throws
 */
export async function openTunnel(session: SshSession, remoteSocket: string, options: TunnelOptions): Promise<Tunnel> {
  const { signal, carriers = ALL } = options;
  if (!PLAIN_PATH.test(remoteSocket)) throw new TunnelError(`not a plain path of a socket: ${remoteSocket}`);
  const connection = await session.connection(signal);
  const problems: string[] = [];
  const note = (error: unknown): void => {
    signal.throwIfAborted();
    if (!(error instanceof TunnelError)) throw error;
    problems.push(error.message);
  };
  await probe(connection, remoteSocket, signal).catch(note);
  const isForwarded = problems.length === 0;
  for (const carrier of carriers) {
    if (!isForwarded && carrier !== "bridge") continue;
    try {
      const wish = { session, hostKey: connection.hostKey, remoteSocket };
      const tunnel = await session.logIns.run(() => CARRIERS[carrier](wish, signal), signal);
      return problems.length === 0 ? tunnel : { ...tunnel, reason: problems.join("; ") };
    } catch (error) {
      note(error);
    }
  }
  throw new TunnelError(`no way to ${remoteSocket} on ${session.title}: ${problems.join("; ")}`, {
    context: { host: session.server.host, remoteSocket },
    hint: "sshd_config needs `AllowStreamLocalForwarding yes` (or `local`), or the server python, socat or nc.",
  });
}

async function probe(connection: RemoteConnection, remoteSocket: string, signal: AbortSignal): Promise<void> {
  const channel = await unlessAborted(forwardedChannel(connection, remoteSocket), signal);
  channel.on("error", () => undefined);
  channel.close();
}
