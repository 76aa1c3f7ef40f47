import type { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";

import { CertificateError } from "@ovault/contract";

import { parseEngineUrl } from "./engine-url.ts";
import { EngineAnswerError, EngineUnavailableError } from "./errors.ts";
import { HttpTransport } from "./http-transport.ts";
import { readCertificates, type TlsTrust } from "./tls.ts";

/** Facts that a person compares and that go into the configuration. */
export interface CertificateFacts {
  /** SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints it: `AB:CD:…`. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601, UTC. */
  readonly validFrom: string;
  readonly validTo: string;
  readonly isCa: boolean;
  readonly pem: string;
}

/** On one line, because the subject comes from the other side. */
export function certificateName({ subject, fingerprint }: CertificateFacts): string {
  return `CA ${subject.replaceAll("\n", ", ")}, SHA-256 ${fingerprint}`;
}

export interface FetchedCa {
  readonly certificates: readonly CertificateFacts[];
  /**
   * True when it came over a connection that a public authority vouches for. False: an attacker on the way may have
   * sent it, so a person must compare its fingerprint with the engine's before trusting it.
   */
  readonly authenticated: boolean;
}

export interface FetchCaOptions {
  /** `https://ENGINE/ovirt-engine/api` */
  readonly url: string;
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 15_000;
const MAX_CA_BYTES = 1024 * 1024;
const COPY_HINT = "Copy /etc/pki/ovirt-engine/ca.pem from the engine and name that file instead.";
const CA_RESOURCE = "/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA";

/**
 * Fetches the CA that signs the engine's and its hosts' certificates. If no public authority vouches for the engine,
 * uses plain HTTP: nothing is proved yet, and TLS without verification would pretend otherwise. Plain HTTP uses port
 * 80, or the engine's own port if that is not 443.
 *
 * @throws EngineUnavailableError when there is no answer. @throws EngineAnswerError for an answer without a CA.
 */
export async function fetchEngineCa(options: FetchCaOptions): Promise<FetchedCa> {
  const { origin } = parseEngineUrl(options.url);
  try {
    return { certificates: await fetchFrom(origin, { ca: rootCertificates }, options), authenticated: true };
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
  }
  return { certificates: await fetchPlain(origin.replace(/^https:/, "http:"), options), authenticated: false };
}

async function fetchPlain(origin: string, options: FetchCaOptions): Promise<CertificateFacts[]> {
  try {
    return await fetchFrom(origin, { ca: [] }, options);
  } catch (error) {
    if (!(error instanceof EngineUnavailableError)) throw error;
    throw new EngineUnavailableError(`the engine does not answer at ${origin}, where it would hand out its CA`, {
      cause: error,
      context: { origin },
      hint: COPY_HINT,
      sent: error.sent,
    });
  }
}

async function fetchFrom(origin: string, trust: TlsTrust, options: FetchCaOptions): Promise<CertificateFacts[]> {
  const { status, text } = await fetchText(origin, trust, options);
  if (status === 200 && text.includes("-----BEGIN CERTIFICATE-----")) {
    return readCertificates(text).map(certificateFacts);
  }
  throw new EngineAnswerError(`the engine does not hand out its CA at ${origin}: HTTP ${status}`, {
    context: { origin, status },
    hint: COPY_HINT,
  });
}

async function fetchText(
  origin: string,
  trust: TlsTrust,
  options: FetchCaOptions,
): Promise<{ status: number; text: string }> {
  const transport = new HttpTransport({ origin, trust, maxAnswerBytes: MAX_CA_BYTES });
  try {
    return await transport.exchange({
      method: "GET",
      path: parseEngineUrl(options.url).rootPath + CA_RESOURCE,
      headers: { accept: "*/*" },
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal,
    });
  } finally {
    await transport.close();
  }
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  return {
    fingerprint: certificate.fingerprint256,
    subject: certificate.subject,
    issuer: certificate.issuer,
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    isCa: certificate.ca,
    pem: certificate.toString(),
  };
}
