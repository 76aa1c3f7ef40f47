import type { CipherAlgorithm, ServerHostKeyAlgorithm } from "ssh2";

/**
 * Ciphers in order of preference: the processor speeds AES-GCM up. chacha20 takes ssh2 six times as long and is
 * negotiated only with a server that has nothing else.
 */
export const CIPHERS: readonly CipherAlgorithm[] = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
  "aes128-ctr",
  "aes192-ctr",
  "aes256-ctr",
  "chacha20-poly1305@openssh.com",
];

/** The signature algorithms to request for a host key of each type. Those with SHA-1 are missing on purpose. */
export const HOST_KEY_ALGORITHMS: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
]);
