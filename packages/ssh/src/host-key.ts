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
