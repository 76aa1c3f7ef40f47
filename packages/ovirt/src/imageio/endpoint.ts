/**
 * One way to reach a transfer: over TLS to the host or through the engine's proxy, or over the host's own unix socket.
 */
export interface Endpoint {
  /** e.g. `https://host1.example.com:54322`; `http://localhost` with a socket path. */
  readonly origin: string;
  /** e.g. `/images/1f2a…`. Never log it: the ticket in it is the only credential. */
  readonly path: string;
  /** A leading NUL byte means Linux's abstract namespace. */
  readonly socketPath?: string;
  /** Proxies of engine 4.3 and older want the signed ticket here. */
  readonly authorization?: string;
  /** PEM certificates of the authorities that may sign. Excludes those of Node. */
  readonly ca: readonly string[];
}

/** The endpoint of a transfer or proxy URL. */
export function endpointOf(url: string, ca: readonly string[], authorization?: string): Endpoint {
  const { origin, pathname } = new URL(url);
  return { origin, path: pathname, ca, ...(authorization === undefined ? {} : { authorization }) };
}

/** The same transfer over the daemon's unix socket, which speaks plain HTTP. */
export function overUnixSocket(endpoint: Endpoint, socketPath: string): Endpoint {
  return { origin: "http://localhost", path: endpoint.path, socketPath, ca: [] };
}

/** The endpoint for messages: without the path, which holds the ticket. */
export function describeEndpoint(endpoint: Endpoint): string {
  return endpoint.socketPath === undefined ? endpoint.origin : "the host's unix socket";
}
