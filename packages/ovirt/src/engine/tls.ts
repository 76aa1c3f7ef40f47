import { X509Certificate } from "node:crypto";
import { checkServerIdentity, type DetailedPeerCertificate, type PeerCertificate } from "node:tls";

import { CertificateError, ConfigurationError } from "@ovault/contract";

/** How a connection verifies the other side. It cannot be left out. */
export interface TlsTrust {
  /** Certificates (PEM) of the authorities that may sign. */
  readonly ca: readonly string[];
  /** SHA-256 fingerprint of a certificate that must be in the chain, in any notation with hexadecimal digits. */
  readonly fingerprint?: string | undefined;
}

const FETCH = "Fetch the engine's CA with `ovault init`.";

/** Splits PEM text into its certificates. @throws ConfigurationError when there is none, or one does not parse */
export function readCertificates(pem: string, title = "the CA"): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    throw new ConfigurationError(`${title} holds no certificate in PEM form`, { hint: FETCH });
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new ConfigurationError(`${title} holds a certificate that does not parse`, { cause: error, hint: FETCH });
  }
}

/** Fingerprints compare equal whatever their case and separators. */
export function normalizeFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(/[^0-9a-f]/gi, "").toUpperCase();
}

/**
 * Node's options for a verified connection: authority, host name, dates, and the pinned fingerprint if there is one.
 * The environment adds no authority, and NODE_TLS_REJECT_UNAUTHORIZED cannot disable the verification.
 */
export function tlsOptions(trust: TlsTrust): {
  ca: string[];
  rejectUnauthorized: true;
  allowPartialTrustChain: true;
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
} {
  return {
    ca: [...trust.ca],
    rejectUnauthorized: true,
    // The confirmed CA is trusted by itself, even if another CA has signed it.
    allowPartialTrustChain: true,
    checkServerIdentity: (host, certificate) =>
      checkServerIdentity(host, certificate) ?? checkFingerprint(host, certificate, trust.fingerprint),
  };
}

function checkFingerprint(
  host: string,
  certificate: PeerCertificate,
  fingerprint: string | undefined,
): CertificateError | undefined {
  if (fingerprint === undefined) return undefined;
  const wanted = normalizeFingerprint(fingerprint);
  if (fingerprintsOf(certificate).some((found) => normalizeFingerprint(found) === wanted)) return undefined;
  return new CertificateError(`no certificate of ${host} has the pinned fingerprint`, {
    context: { host, presented: certificate.fingerprint256 },
    hint:
      "If the engine's CA was renewed, fetch it again with `ovault init` and compare the fingerprint out of band; " +
      "if another CA signs its web certificate, pin that one.",
  });
}

/** The chain from the server's certificate to the root, which is its own issuer. */
function fingerprintsOf(certificate: PeerCertificate | DetailedPeerCertificate): string[] {
  const found = new Set<string>();
  let current: PeerCertificate | DetailedPeerCertificate | undefined = certificate;
  while (current !== undefined && !found.has(current.fingerprint256)) {
    found.add(current.fingerprint256);
    current = "issuerCertificate" in current ? current.issuerCertificate : undefined;
  }
  return [...found];
}

const UNKNOWN_AUTHORITY = new Set([
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "INVALID_CA",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** The certificate error behind a failed connection to `host`; undefined when it failed for another reason. */
export function certificateErrorOf(error: unknown, host: string): CertificateError | undefined {
  if (error instanceof CertificateError) return error;
  const code = codeOf(error);
  const options = { cause: error, context: { host, reason: code ?? null } };
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return new CertificateError(`the certificate of ${host} is for another host name`, {
      ...options,
      hint: "Use the name that the certificate holds; an IP address works only when the certificate lists it.",
    });
  }
  if (code === "CERT_HAS_EXPIRED") {
    return new CertificateError(`the certificate of ${host}, or of the CA that signed it, has expired`, {
      ...options,
      hint: "Renew it (`engine-setup --offline` on the engine, 'Enroll Certificate' for a host); check this machine's clock.",
    });
  }
  if (code === "CERT_NOT_YET_VALID") {
    return new CertificateError(`the certificate of ${host} is not valid yet`, {
      ...options,
      hint: "Check the clocks of both machines.",
    });
  }
  if (code !== undefined && UNKNOWN_AUTHORITY.has(code)) {
    return new CertificateError(`the certificate of ${host} is not signed by a trusted CA`, {
      ...options,
      hint: "Fetch the engine's CA with `ovault init`; if a company CA signs the web certificate, add it to the CA file.",
    });
  }
  return undefined;
}

/** The error code of Node or OpenSSL, looked up through the causes. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return codeOf(error.cause);
}
