import { homedir } from "node:os";
import { join, resolve } from "node:path";

import { ConfigurationError, type PluginHost } from "@ovault/core";

import type { Authentication } from "./authentication.ts";
import type { SftpOptions } from "./options.ts";

/** The options with secrets and paths resolved: all that a store needs. Never to be logged. */
export interface SftpSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly authentication: Authentication;
  readonly trust: { readonly knownHosts: string } | { readonly fingerprint: string };
  readonly connections: number;
  readonly timeoutMs: number;
  /** Nothing may be changed there, not even to find out what the server can do. */
  readonly readOnly: boolean;
}

/** @throws ConfigurationError when a secret is missing, or there is no agent. */
export async function settingsOf(options: SftpOptions, host: PluginHost): Promise<SftpSettings> {
  const { hostKey, knownHosts = "~/.ssh/known_hosts" } = options;
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    directory: options.directory,
    authentication: await authenticationOf(options, host),
    trust: hostKey === undefined ? { knownHosts: localPath(knownHosts, host) } : { fingerprint: hostKey },
    connections: options.connections,
    timeoutMs: options.timeoutMs,
    readOnly: host.readOnly === true,
  };
}

async function authenticationOf(
  { privateKey, passphrase, password }: SftpOptions,
  host: PluginHost,
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

function localPath(path: string, { baseDirectory }: PluginHost): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(baseDirectory, path);
}
