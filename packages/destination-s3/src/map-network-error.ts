import { type ErrorOptionsWithHint, StoreError, StorePermissionError, StoreUnavailableError } from "@ovault/contract";

import type { FailedRequest } from "./failed-request.ts";

/** Codes for a server that is unreachable, or went away in the middle. */
const NOT_REACHED = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EAI_AGAIN",
  "ENOTFOUND",
  "EMFILE",
]);

/** Codes, by OpenSSL's and Node's names, for a certificate that cannot be verified. */
const UNPROVEN = /CERT|SIGNATURE|ISSUER|CRL|CA_/;

/** The store error for a failure without an answer of the service. */
export function mapNetworkError(error: unknown, { what, place }: FailedRequest): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  const failed = (reason: string, hint: string): [string, ErrorOptionsWithHint] => [
    `cannot ${what} in ${place}: ${reason}`,
    { cause: error, context: { code }, hint },
  ];
  if (error.name === "TimeoutError" || NOT_REACHED.has(code)) {
    const [message, options] = failed(error.message, "Check `endpoint`, the network, and whether the service runs.");
    return new StoreUnavailableError(message, { ...options, retry: "transient" });
  }
  if (code === "CredentialsProviderError" || code === "TokenProviderError") {
    return new StorePermissionError(
      ...failed("no credentials were found", "Set `credentials` of the destination, or AWS_PROFILE."),
    );
  }
  if (code === "EPROTO") {
    return new StoreError(...failed("the port does not speak TLS", "Check the port and the protocol in `endpoint`."));
  }
  if (UNPROVEN.test(code)) {
    return new StoreError(
      ...failed(`its certificate proves nothing: ${error.message}`, "Set `ca` to the CA that signed it."),
    );
  }
  return error;
}
