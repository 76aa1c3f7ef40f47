// oxlint-disable-next-line import/no-unassigned-import -- what @peculiar/x509 builds on expects this global
import "reflect-metadata";

import { X509Certificate, randomBytes, type webcrypto } from "node:crypto";

import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate as GeneratedCertificate,
} from "@peculiar/x509";

/** A certificate with its private key, both as PEM. */
export interface KeyPair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** From when to when a certificate is valid. */
export interface Validity {
  readonly from: Date;
  readonly to: Date;
}

const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Valid from yesterday, to tolerate clocks that differ a little, for ten years. */
export function currentValidity(): Validity {
  return { from: new Date(Date.now() - YEAR_MS / 365), to: new Date(Date.now() + 10 * YEAR_MS) };
}

/** Ended yesterday: for tests of how a client reports an expired certificate. */
export function expiredValidity(): Validity {
  return { from: new Date(Date.now() - 2 * YEAR_MS), to: new Date(Date.now() - YEAR_MS / 365) };
}

/** Makes a certificate authority, as every engine has one. */
export async function createAuthority(commonName: string): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(SIGNING, true, ["sign", "verify"]);
  const { from, to } = currentValidity();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `O=ovault lab, CN=${commonName}`,
    serialNumber: serialNumber(),
    notBefore: from,
    notAfter: to,
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return toPem(certificate, keys.privateKey);
}

/** Issues a server certificate for `localhost` and 127.0.0.1, the only addresses the lab listens on. */
export async function issueServerCertificate(authority: KeyPair, validity: Validity): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(SIGNING, true, ["sign", "verify"]);
  const signingKey = await crypto.subtle.importKey(
    "pkcs8",
    PemConverter.decodeFirst(authority.privateKeyPem),
    SIGNING,
    false,
    ["sign"],
  );
  const certificate = await X509CertificateGenerator.create({
    subject: "O=ovault lab, CN=localhost",
    issuer: issuerName(authority),
    serialNumber: serialNumber(),
    notBefore: validity.from,
    notAfter: validity.to,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
    ],
  });
  return toPem(certificate, keys.privateKey);
}

/** SHA-256 fingerprint for display: upper-case hex pairs with colons. */
export function fingerprintOf(certificatePem: string): string {
  return new X509Certificate(certificatePem).fingerprint256;
}

function issuerName(authority: KeyPair): string {
  return new X509Certificate(authority.certificatePem).subject.split("\n").join(", ");
}

function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString("hex");
}

async function toPem(certificate: GeneratedCertificate, privateKey: webcrypto.CryptoKey): Promise<KeyPair> {
  const exported = await crypto.subtle.exportKey("pkcs8", privateKey);
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: PemConverter.encode(exported, "PRIVATE KEY"),
  };
}
