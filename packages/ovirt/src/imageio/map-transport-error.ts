import { certificateErrorOf, codeOf } from "../engine/tls.ts";
import { describeEndpoint, type Endpoint } from "./endpoint.ts";
import { ImageioConnectionError } from "./errors.ts";

const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EACCES",
  "ETIMEDOUT",
]);

/**
 * Classifies a failed exchange: a certificate that is not trusted (CertificateError), or a connection that was lost or
 * never made (ImageioConnectionError). The original is the cause.
 */
export function mapTransportError(error: unknown, endpoint: Endpoint): Error {
  if (error instanceof ImageioConnectionError) return error;
  const certificateError = certificateErrorOf(error, describeEndpoint(endpoint));
  return certificateError ?? lostConnection(endpoint, codeOf(error) ?? "no reason given", error);
}

/** `reason`: the code of a system error, or what happened in words. */
export function lostConnection(endpoint: Endpoint, reason: string, cause?: unknown): ImageioConnectionError {
  const where = describeEndpoint(endpoint);
  return new ImageioConnectionError(`the connection to imageio at ${where} failed (${reason})`, {
    cause,
    context: { endpoint: where, reason },
    retry: "transient",
    hint: NEVER_CONNECTED.has(reason)
      ? "Ports 54322 of the hosts and 54323 of the engine must be reachable from here."
      : "It was lost more than once. Look at the network, and at /var/log/ovirt-imageio/daemon.log on the host.",
  });
}
