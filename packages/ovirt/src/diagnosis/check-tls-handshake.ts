import { isIP } from "node:net";
import { connect } from "node:tls";

import { ManagerUnavailableError } from "@ovault/contract";

import { certificateErrorOf, tlsOptions, type TlsTrust } from "../engine/tls.ts";

const TIMEOUT_MS = 10_000;

/**
 * Connects, completes the TLS handshake with a verified certificate, and closes the connection. imageio handshakes with
 * one client at a time, so a silent connection would block all others.
 * @throws CertificateError, ManagerUnavailableError
 */
export async function checkTlsHandshake(
  address: { readonly host: string; readonly port: number },
  trust: TlsTrust,
  signal: AbortSignal,
): Promise<void> {
  const { host, port } = address;
  const servername = isIP(host) === 0 ? host : "";
  const socket = connect({ host, port, servername, ...tlsOptions(trust), timeout: TIMEOUT_MS });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  socket.once("secureConnect", resolve);
  socket.once("timeout", () => reject(new Error(`no TLS handshake within ${TIMEOUT_MS / 1000} s`)));
  socket.on("error", reject);
  try {
    signal.throwIfAborted();
    await promise;
    socket.end();
  } catch (error) {
    signal.throwIfAborted();
    throw certificateErrorOf(error, host) ?? unreachable(address, error);
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroySoon();
  }
}

function unreachable({ host, port }: { readonly host: string; readonly port: number }, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ManagerUnavailableError(`${host}:${port} cannot be reached: ${reason}`, {
    cause,
    context: { host, port },
    hint: "Is the service running, and does every firewall in between let this machine through?",
  });
}
