import { once } from "node:events";
import { connect } from "node:net";

import {
  ConfigurationError,
  messageOf,
  readSettingsFile,
  systemErrorText,
  type SecretReference,
} from "@ovault/contract";

import { KNOWN_HOSTS_FILE } from "./host-trust.ts";
import { about, agentSocket, keyOf, localPath, NO_AGENT, secretOf, type SecretsHost } from "./login-secrets.ts";
import type { LoginOptions } from "./server-options.ts";

/**
 * Checks what a login refers to on this machine: secrets in files and in the environment, the agent, and the file of
 * known hosts, where one is named. Runs no command that prints a secret, and asks no server.
 * @throws ConfigurationError with the name of the option
 */
export async function checkLogin(options: LoginOptions, host: SecretsHost): Promise<void> {
  const { privateKey, passphrase, password, agent, knownHosts } = options;
  if (password !== undefined && isAtHand(password)) await secretOf("password", password, host);
  if (passphrase !== undefined && isAtHand(passphrase)) await secretOf("passphrase", passphrase, host);
  if (privateKey !== undefined && isAtHand(privateKey)) await keyOf(privateKey, passphrase, host);
  if (agent === true) await about("agent", async () => assertListens(agentSocket()));
  if (knownHosts !== undefined) {
    await about("knownHosts", () => readSettingsFile(localPath(knownHosts, host), KNOWN_HOSTS_FILE));
  }
}

function isAtHand(secret: string | SecretReference): boolean {
  return typeof secret === "string" || !("command" in secret);
}

/** @throws ConfigurationError when no agent listens at the socket */
async function assertListens(socket: string): Promise<void> {
  const connection = connect(socket);
  try {
    await once(connection, "connect");
  } catch (cause) {
    throw new ConfigurationError(
      `no SSH agent listens at SSH_AUTH_SOCK ${socket}: ${systemErrorText(cause) ?? messageOf(cause)}`,
      {
        cause,
        context: { socket },
        hint: NO_AGENT,
      },
    );
  } finally {
    connection.destroy();
  }
}
