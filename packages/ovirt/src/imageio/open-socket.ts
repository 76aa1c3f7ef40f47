import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import { tlsOptions } from "../engine/tls.ts";
import type { Endpoint } from "./endpoint.ts";

/** A client that waits hours for the list of extents must notice that the other side is gone. */
const PROBE_AFTER_MS = 60_000;

/**
 * Starts connecting: verified TLS to a host or proxy, plain to a unix socket. `onread` provides the buffer that
 * received bytes are written to, without copies. Calls `onReady` when requests can be sent.
 */
export function openSocket(endpoint: Endpoint, onread: OnReadOpts, onReady: () => void): Socket {
  if (endpoint.socketPath !== undefined) return connectPlain({ path: endpoint.socketPath, onread }, onReady);
  const { hostname, port } = new URL(endpoint.origin);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const options = {
    host,
    port: port === "" ? 443 : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...tlsOptions({ ca: endpoint.ca }),
    ALPNProtocols: ["http/1.1"],
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_AFTER_MS,
    onread,
  };
  return connectTls(options, onReady);
}
