/** Where an NBD server listens: a unix socket, or a TCP port. */
export type NbdAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** For messages. */
export function describeAddress(address: NbdAddress): string {
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}
