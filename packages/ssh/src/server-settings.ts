import { homedir } from "node:os";
import { join, resolve } from "node:path";

import { ConfigurationError, type PluginHost } from "@ovault/contract";

import type { Authentication } from "./authentication.ts";
import type { RecordedKey } from "./host-trust.ts";
import type { ServerOptions } from "./server-options.ts";

/** A server with secrets and paths resolved. Never to be logged. */
export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly authentication: Authentication;
  readonly trust:
    { readonly knownHosts: string } | { readonly fingerprint: string } | { readonly recorded: RecordedKey };
}

/** The parts of a plugin's host that are needed. */
export type SecretsHost = Pick<PluginHost, "baseDirectory" | "secret">;

/** @throws ConfigurationError when a secret is missing, or there is no agent */
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
  { privateKey, passphrase, password }: ServerOptions,
  host: SecretsHost,
): Promise<Authentication> {
  if (password !== undefined) return { by: "password", password: await host.secret(password) };
  if (privateKey === undefined) return { by: "agent", socket: agentSocket() };
  const reference = typeof privateKey === "string" ? { file: localPath(privateKey, host) } : privateKey;
  const key = await host.secret(reference);
  return passphrase === undefined ? { by: "key", key } : { by: "key", key, passphrase: await host.secret(passphrase) };
}

function agentSocket(): string {
  const socket = process.env["SSH_AUTH_SOCK"];
  if (socket !== undefined && socket !== "") return socket;
  throw new ConfigurationError("there is no SSH agent: SSH_AUTH_SOCK is not set", {
    hint: "Start one with `eval $(ssh-agent)` and `ssh-add KEY`, or log in with a privateKey.",
  });
}

function localPath(path: string, { baseDirectory }: SecretsHost): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(baseDirectory, path);
}
