import { CertificateError, ConfigurationError, plural, readSettingsFile } from "@ovault/contract";
import {
  certificateFacts,
  certificateName,
  fetchEngineCa,
  readCertificates,
  type CertificateFacts,
} from "@ovault/ovirt";

import type { CommandContext } from "./command.ts";
import type { Questions } from "./questions.ts";

const MOST_BYTES = 1024 * 1024;
const COMPARE = "openssl x509 -in /etc/pki/ovirt-engine/ca.pem -noout -fingerprint -sha256";

/** The trusted CA: confirmed by a person, or proved by the given file or fingerprint. */
export interface TrustedCa {
  /** The first is the engine's CA. Only a file can add more; the user vouches for it as a whole. */
  readonly certificates: readonly [CertificateFacts, ...CertificateFacts[]];
  /** Fingerprint that must be in the engine's chain; undefined when any of several certificates may be. */
  readonly pin: string | undefined;
}

export interface CaSource {
  readonly url: string;
  /** Read instead of asking the engine. */
  readonly file: string | undefined;
  /** The expected fingerprint, known from elsewhere. */
  readonly fingerprint: string | undefined;
}

/**
 * The engine's CA, from a file or from the engine itself. Keeps one of the engine's certificates, the one with the
 * given fingerprint or else its CA: names and drops the others, because a man in the middle may have added them. A
 * certificate from an unverified connection needs the given fingerprint, or a person's confirmation.
 * @throws CertificateError when it is another one, or is not confirmed
 */
export async function trustedCa(
  { url, file, fingerprint }: CaSource,
  { terminal, signal }: CommandContext,
  questions: Questions,
): Promise<TrustedCa> {
  const { certificates, vouched } =
    file === undefined ? await fromEngine(url, signal) : { certificates: await fromFile(file), vouched: true };
  const ca = choose(certificates, fingerprint);
  const others = certificates.filter((one) => one !== ca);
  const trusted: TrustedCa =
    file === undefined
      ? { certificates: [ca], pin: ca.fingerprint }
      : {
          certificates: [ca, ...others],
          pin: fingerprint !== undefined || others.length === 0 ? ca.fingerprint : undefined,
        };
  for (const one of trusted.certificates) {
    terminal.note(certificateName(one));
    terminal.note(`  valid ${one.validFrom} to ${one.validTo}`);
  }
  if (file === undefined && others.length > 0) {
    terminal.note(
      `warning: the engine sent ${plural(others.length, "more certificate")}, not kept: ${others.map(certificateName).join("; ")}`,
    );
  }
  if (vouched || fingerprint !== undefined) return trusted;
  terminal.note(`Compare on the engine: ${COMPARE}`);
  if (await questions.confirm("Is this the fingerprint that the engine shows?")) return trusted;
  throw new CertificateError("the engine's CA was not confirmed", {
    context: { presented: ca.fingerprint },
    hint: "Confirm it in a terminal, or give --ca-fingerprint or --ca-file.",
  });
}

/** The certificate with this fingerprint, or else the first CA. */
function choose(certificates: readonly CertificateFacts[], fingerprint: string | undefined): CertificateFacts {
  const likely = certificates.find(({ isCa }) => isCa) ?? certificates[0];
  if (likely === undefined) throw new CertificateError("the engine hands out no CA");
  if (fingerprint === undefined) return likely;
  const wanted = hexDigits(fingerprint);
  const chosen = certificates.find((one) => hexDigits(one.fingerprint) === wanted);
  if (chosen !== undefined) return chosen;
  throw new CertificateError("the engine's CA does not have the fingerprint given", {
    context: { presented: likely.fingerprint },
    hint: `Compare on the engine: ${COMPARE}`,
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
  const { text } = await readSettingsFile(file, { what: "the CA file", mostBytes: MOST_BYTES });
  try {
    return readCertificates(text).map(certificateFacts);
  } catch (error) {
    throw new ConfigurationError(`${file} holds no certificate in PEM form`, { cause: error, context: { file } });
  }
}

/** Removes the separators: fingerprints are written in many ways. */
function hexDigits(fingerprint: string): string {
  return fingerprint.replaceAll(/[^0-9a-f]/gi, "").toLowerCase();
}
