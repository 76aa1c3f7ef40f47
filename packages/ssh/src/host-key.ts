import { createHash } from "node:crypto";

/** `ssh-ed25519`, `ssh-rsa`… : the type that a public key names itself, empty when it is no key. */
export function keyType(key: Buffer): string {
  if (key.length < 4) return "";
  const end = 4 + key.readUInt32BE(0);
  return end > key.length ? "" : key.toString("latin1", 4, end);
}

/** As `ssh-keygen -l` shows it: `SHA256:…` without padding. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** `SHA256:…`, with padding or without it, or the MD5 of old systems: pairs of digits with colons, with a prefix or not. */
export function hasFingerprint(key: Buffer, fingerprint: string): boolean {
  if (fingerprint.startsWith("SHA256:")) return fingerprintOf(key) === fingerprint.replace(/=$/, "");
  return md5FingerprintOf(key) === fingerprint.replace(/^MD5:/, "").toLowerCase();
}

function md5FingerprintOf(key: Buffer): string {
  return createHash("md5")
    .update(key)
    .digest("hex")
    .replace(/..(?!$)/g, "$&:");
}
