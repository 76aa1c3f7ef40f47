import { CertificateError } from "@ovault/core";

import { describeEndpoint } from "./endpoint.ts";
import { ImageioConnectionError } from "./errors.ts";

import type { Endpoint } from "./endpoint.ts";

const CERTIFICATE_CODE = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH)/;

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
 * What a failed exchange means: a certificate that proves nothing, or a connection that was lost or never made. All
 * that undici, OpenSSL and the kernel say ends up in one of the two, with the original as cause.
 */
export function mapTransportError(error: unknown, endpoint: Endpoint): Error {
  const code = codeOf(error);
  const where = describeEndpoint(endpoint);
  if (CERTIFICATE_CODE.test(code)) {
    return new CertificateError(`the certificate of imageio at ${where} is not trusted (${code})`, {
      cause: error,
      context: { endpoint: where, code },
      hint: "Hosts are certified by the engine's internal CA under the address the engine knows them by; check the CA in ovault.yaml and the host's name.",
    });
  }
  return new ImageioConnectionError(`the connection to imageio at ${where} failed (${code})`, {
    cause: error,
    context: { endpoint: where, code },
    retry: "transient",
    ...(NEVER_CONNECTED.has(code)
      ? { hint: "Ports 54322 of the hosts and 54323 of the engine must be reachable from here." }
      : {}),
  });
}

/** The first code along the chain of causes; several failed addresses count by their first. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error.cause === undefined ? error.name : codeOf(error.cause);
}
