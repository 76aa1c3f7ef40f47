import { ManagerError } from "@ovault/contract";

import type { SshSession } from "../hosts/ssh-session.ts";

/** A unix socket of a server as a local one, for any number of connections. */
export interface Tunnel {
  readonly address: { readonly path: string };
  /** For people: what carries the data. */
  readonly carrier: string;
  /** Resolves when it is gone. Never rejects. */
  readonly ended: Promise<unknown>;
  close(): Promise<void>;
}

export async function openTunnel(
  session: SshSession,
  _remoteSocket: string,
  _options: { readonly signal: AbortSignal },
): Promise<Tunnel> {
  throw new ManagerError(`no tunnel to ${session.title} yet`);
}
