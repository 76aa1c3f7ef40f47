import net from "node:net";
import tls from "node:tls";

import { describeAddress, type NbdAddress } from "./address.ts";
import { ByteReader } from "./byte-reader.ts";
import { NbdConnectionError, NbdTlsError } from "./errors.ts";

/** Receive buffer. Measured: twice the rate of Node's own 64 KiB pieces, which are not reused. */
const RECEIVE_BYTES = 256 * 1024;

/** A socket and its reader. */
export interface ReadSocket {
  readonly socket: net.Socket;
  readonly reader: ByteReader;
}

/**
 * Opens a socket. A fast one receives into one buffer that it reuses; TLS cannot be started on it later.
 * @throws NbdConnectionError, transient because the server may come (back).
 */
export function openSocket(address: NbdAddress, kind: "fast" | "upgradable", signal: AbortSignal): Promise<ReadSocket> {
  return new Promise((resolve, reject) => {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        reader.accept(buffer.subarray(0, length));
        return true;
      },
    };
    const socket = net.connect({ ...address, noDelay: true, ...(kind === "fast" ? { onread } : {}) });
    const reader = new ByteReader(socket);
    const onAbort = (): void => void socket.destroy(new NbdConnectionError("connecting was cancelled"));
    const onConnect = (): void => {
      forget();
      resolve({ socket, reader });
    };
    const onError = (error: Error): void => {
      forget();
      reject(connectError(address, error));
    };
    const forget = (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
    };
    signal.addEventListener("abort", onAbort);
    socket.on("connect", onConnect);
    socket.on("error", onError);
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
 * Starts TLS as client on an open socket. Always verifies the certificate, by default against the host of the address;
 * for a unix socket the options must name it (`servername`). @throws NbdTlsError.
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

/** Starts TLS as server on an accepted socket. Verifies client certificates if the options request them. */
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
