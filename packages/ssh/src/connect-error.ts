import type { AnyAuthMethod } from "ssh2";

import { CIPHERS } from "./algorithms.ts";
import { SshError, SshLoginError, SshUnavailableError } from "./errors.ts";
import type { SshServer } from "./ssh-server.ts";

/** The error for an attempt to log in that failed. */
export function mapConnectError(error: unknown, { host, port, user, login }: SshServer): SshError {
  if (error instanceof SshError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const level = error instanceof Error && "level" in error ? error.level : undefined;
  const options = { cause: error, context: { host, port, user } };
  if (level === "client-authentication" || level === "agent" || /authentication failures/i.test(message)) {
    return new SshLoginError(`${host}:${port} does not let ${user} in: ${message}`, {
      ...options,
      hint: loginHint(login, user),
    });
  }
  if (level === "handshake") {
    return new SshError(`${host}:${port} and ovault do not come to terms: ${message}`, {
      ...options,
      hint: `The server may be too old, or its sshd_config allows too few algorithms. ${capabilityFor(message)}`.trim(),
    });
  }
  return new SshUnavailableError(`cannot connect to ${host}:${port}: ${message}`, {
    ...options,
    retry: "transient",
    hint: `Does \`ssh -p ${port} ${user}@${host}\` come through from this machine?`,
  });
}

/** What ovault can do of what is missing on the server. */
function capabilityFor(message: string): string {
  if (message.includes("host key"))
    return "ovault accepts keys of the types ed25519, ecdsa and rsa, the last with SHA-2 signatures.";
  if (message.includes("key exchange")) {
    return "ovault exchanges keys by curve25519-sha256, ecdh-sha2-* and diffie-hellman-group* with SHA-2.";
  }
  if (message.includes("MAC")) return "ovault authenticates messages by hmac-sha2-256, hmac-sha2-512 and hmac-sha1.";
  return message.includes("cipher") ? `ovault encrypts with ${CIPHERS.join(", ")}.` : "";
}

function loginHint(login: readonly AnyAuthMethod[], user: string): string {
  switch (login[0]?.type) {
    case "publickey":
      return `Is the public half of the key in ~${user}/.ssh/authorized_keys on the server? \`ssh-keygen -y -f KEY\` shows it.`;
    case "agent":
      return "Is the agent running that SSH_AUTH_SOCK leads to, and does it hold the key? `ssh-add -l` shows what it has.";
    default:
      return "Is the password right, and does sshd_config allow PasswordAuthentication?";
  }
}
