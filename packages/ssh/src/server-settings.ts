import type { Authentication } from "./authentication.ts";
import type { RecordedKey } from "./host-trust.ts";
import { about, agentSocket, keyOf, localPath, secretOf, type SecretsHost } from "./login-secrets.ts";
import type { LoginOptions, ServerOptions } from "./server-options.ts";

/** A server with secrets and paths resolved. Never to be logged. */
export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly authentication: Authentication;
  readonly trust:
    { readonly knownHosts: string } | { readonly fingerprint: string } | { readonly recorded: RecordedKey };
}

/**
 * @throws ConfigurationError, with the name of the option, when a secret is missing, the private key is none or needs a
 * passphrase, or there is no agent
 */
export async function serverSettings(options: ServerOptions, host: SecretsHost): Promise<ServerSettings> {
  const { hostKey, knownHosts = "~/.ssh/known_hosts" } = options;
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    authentication: await authenticationOf(options, host),
    trust: hostKey === undefined ? { knownHosts: localPath(knownHosts, host) } : { fingerprint: hostKey },
  };
}

async function authenticationOf(
  { privateKey, passphrase, password }: LoginOptions,
  host: SecretsHost,
): Promise<Authentication> {
  if (password !== undefined) return { by: "password", password: await secretOf("password", password, host) };
  if (privateKey === undefined) return { by: "agent", socket: await about("agent", async () => agentSocket()) };
  const key = await keyOf(privateKey, passphrase, host);
  if (passphrase === undefined) return { by: "key", key };
  return { by: "key", key, passphrase: await secretOf("passphrase", passphrase, host) };
}
