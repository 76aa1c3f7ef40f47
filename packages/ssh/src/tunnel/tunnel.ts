/** A unix socket of the server, within reach of this machine. */
export interface Tunnel {
  /** A unix socket in a directory of this user alone. Any number of connections. */
  readonly address: { readonly path: string };
  /** What carries the data, for people: `OpenSSH`, `ssh2`. */
  readonly carrier: string;
  /** Why it is not a better carrier, for people; absent when there is none. */
  readonly reason?: string;
  /** Resolves to the reason when the tunnel is gone, also after `close`. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends its connections and processes. Never rejects. */
  close(): Promise<void>;
}
