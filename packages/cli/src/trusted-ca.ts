import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

import { CertificateError, ConfigurationError } from "@ovault/core";
import { certificateFacts, fetchEngineCa, type CertificateFacts } from "@ovault/ovirt";

import type { CommandContext } from "./command.ts";
import type { Questions } from "./questions.ts";

const COMPARE = "openssl x509 -in /etc/pki/ovirt-engine/ca.pem -noout -fingerprint -sha256";

/** A CA that somebody vouched for. */
export interface TrustedCa {
  readonly subject: string;
  readonly fingerprint: string;
  readonly pem: string;
}

export interface CaSource {
  readonly url: string;
  /** Instead of asking the engine. */
  readonly file: string | undefined;
  /** What it must be, known from elsewhere. */
  readonly fingerprint: string | undefined;
}

/**
 * The engine's CA, from a file or from the engine itself. What comes over a connection that nothing proves is taken only
 * when it has the fingerprint given, or a person confirms it.
 * @throws CertificateError when it is another one, or nobody confirms.
 */
export async function trustedCa(
  { url, file, fingerprint }: CaSource,
  { terminal, signal }: CommandContext,
  questions: Questions,
): Promise<TrustedCa> {
  const { certificates, vouched } =
    file === undefined ? await fromEngine(url, signal) : { certificates: await fromFile(file), vouched: true };
  const ca = certificates.find(({ isCa }) => isCa) ?? certificates[0];
  if (ca === undefined) throw new CertificateError("the engine hands out no CA");
  const subject = ca.subject.replaceAll("\n", ", ");
  const trusted = { subject, fingerprint: ca.fingerprint, pem: certificates.map(({ pem }) => pem).join("") };
  if (fingerprint !== undefined) {
    if (hexDigits(fingerprint) === hexDigits(ca.fingerprint)) return trusted;
    throw new CertificateError("the engine's CA does not have the fingerprint given", {
      context: { presented: ca.fingerprint },
      hint: `Compare on the engine: ${COMPARE}`,
    });
  }
  terminal.note(
    [`CA of the engine: ${subject}`, `  valid ${ca.validFrom} to ${ca.validTo}`, `  SHA-256 ${ca.fingerprint}`].join(
      "\n",
    ),
  );
  if (vouched) return trusted;
  terminal.note(`Compare on the engine: ${COMPARE}`);
  if (await questions.confirm("Is this the fingerprint that the engine shows?")) return trusted;
  throw new CertificateError("the engine's CA was not confirmed", {
    context: { presented: ca.fingerprint },
    hint: "Confirm it in a terminal, or give --ca-fingerprint or --ca-file.",
  });
}

async function fromEngine(
  url: string,
  signal: AbortSignal,
): Promise<{ certificates: readonly CertificateFacts[]; vouched: boolean }> {
  const { certificates, authenticated } = await fetchEngineCa({ url, signal });
  return { certificates, vouched: authenticated };
}

async function fromFile(file: string): Promise<readonly CertificateFacts[]> {
  try {
    return [certificateFacts(new X509Certificate(await readFile(file)))];
  } catch (error) {
    throw new ConfigurationError(`${file} holds no certificate in PEM form`, { cause: error, context: { file } });
  }
}

/** Fingerprints are written in many ways. */
function hexDigits(fingerprint: string): string {
  return fingerprint.replaceAll(/[^0-9a-f]/gi, "").toLowerCase();
}
