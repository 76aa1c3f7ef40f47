import { certificateErrorOf, codeOf } from "../engine/tls.ts";
import { describeEndpoint } from "./endpoint.ts";
import { ImageioConnectionError } from "./errors.ts";

import type { Endpoint } from "./endpoint.ts";

const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EACCES",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * What a failed exchange means: a certificate that proves nothing (CertificateError), or a connection that was lost or
 * never made (ImageioConnectionError). The original is the cause.
 */
export function mapTransportError(error: unknown, endpoint: Endpoint): Error {
  const where = describeEndpoint(endpoint);
  const certificateError = certificateErrorOf(error, where);
  if (certificateError !== undefined) return certificateError;
  const code = codeOf(error) ?? "no reason given";
  return new ImageioConnectionError(`the connection to imageio at ${where} failed (${code})`, {
    cause: error,
    context: { endpoint: where, code },
    retry: "transient",
    hint: NEVER_CONNECTED.has(code)
      ? "Ports 54322 of the hosts and 54323 of the engine must be reachable from here."
      : "It was lost more than once. Look at the network, and at /var/log/ovirt-imageio/daemon.log on the host.",
  });
}
