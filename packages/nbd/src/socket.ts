import net from "node:net";
import tls from "node:tls";

import type { NbdAddress } from "./address.ts";
import { describeAddress } from "./address.ts";
import { NbdConnectionError, NbdTlsError } from "./errors.ts";

/** Opens a socket. Rejects with NbdConnectionError, transient when the server may come (back). */
export function openSocket(address: NbdAddress, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...address, noDelay: true });
    const onAbort = (): void => void socket.destroy(new NbdConnectionError("connecting was cancelled"));
    const settle = (act: () => void) => (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners();
      act();
    };
    signal.addEventListener("abort", onAbort);
    socket.once(
      "connect",
      settle(() => resolve(socket)),
    );
    socket.once("error", (error) => settle(() => reject(connectError(address, error)))());
  });
}

function connectError(address: NbdAddress, error: Error): NbdConnectionError {
  if (error instanceof NbdConnectionError) return error;
  return new NbdConnectionError(`cannot connect to the NBD server at ${describeAddress(address)}: ${error.message}`, {
    cause: error,
    context: { address: describeAddress(address) },
    retry: "transient",
    hint: "Check that the server runs and listens there.",
  });
}

/**
 * Starts TLS as client on an open socket. The certificate is always verified, against the host of the address unless
 * the options name another; for a unix socket the options must name it (`servername`). Rejects with NbdTlsError.
 */
export function secureClientSocket(
  socket: net.Socket,
  address: NbdAddress,
  options: tls.ConnectionOptions,
): Promise<tls.TLSSocket> {
  const host = "host" in address ? address.host : "localhost";
  const serverName = net.isIP(host) === 0 ? { servername: host } : {};
  return secured(tls.connect({ host, ...serverName, ...options, socket, rejectUnauthorized: true }), "secureConnect");
}

/** Starts TLS as server on an accepted socket. Client certificates are verified when the options ask for them. */
export function secureServerSocket(
  socket: net.Socket,
  context: tls.SecureContext,
  requestCert: boolean,
): Promise<tls.TLSSocket> {
  const options = { isServer: true, secureContext: context, requestCert, rejectUnauthorized: requestCert };
  return secured(new tls.TLSSocket(socket, options), "secure");
}

function secured(socket: tls.TLSSocket, readyEvent: string): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(tlsError(error));
    const onClose = (): void => reject(tlsError(new Error("the connection was closed")));
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once(readyEvent, () => {
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(socket);
    });
  });
}

function tlsError(error: Error): Error {
  if (error instanceof NbdConnectionError) return error;
  return new NbdTlsError(`TLS could not be started: ${error.message}`, {
    cause: error,
    hint: "Check the CA, the host name in the certificate and its dates.",
  });
}
