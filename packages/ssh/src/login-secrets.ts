import { homedir } from "node:os";
import { join, resolve } from "node:path";

import { ConfigurationError, errorAt, type PluginHost, type SecretReference } from "@ovault/contract";

import { assertPrivateKey } from "./authentication.ts";
import { SshLoginError } from "./errors.ts";

/** The parts of a plugin's host that are needed. */
export type SecretsHost = Pick<PluginHost, "baseDirectory" | "secret">;

export const NO_AGENT = "Start one with `eval $(ssh-agent)` and `ssh-add KEY`, or log in with a privateKey.";

/** The key itself. @throws ConfigurationError when it is none, or needs a passphrase */
export async function keyOf(
  privateKey: string | SecretReference,
  passphrase: SecretReference | undefined,
  host: SecretsHost,
): Promise<string> {
  const reference = typeof privateKey === "string" ? { file: localPath(privateKey, host) } : privateKey;
  const key = await secretOf("privateKey", reference, host);
  const title = "file" in reference ? `the private key ${reference.file}` : "the private key";
  await about("privateKey", () => assertPrivateKey(key, { title, hasPassphrase: passphrase !== undefined }));
  return key;
}

export function secretOf(option: string, reference: SecretReference, host: SecretsHost): Promise<string> {
  return about(option, () => host.secret(reference));
}

/** Names an option in the errors of what it refers to. */
export async function about<T>(option: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof SshLoginError)) throw error;
    throw errorAt(option, error);
  }
}

/** @throws ConfigurationError when there is none */
export function agentSocket(): string {
  const socket = process.env["SSH_AUTH_SOCK"];
  if (socket !== undefined && socket !== "") return socket;
  throw new ConfigurationError("there is no SSH agent: SSH_AUTH_SOCK is not set", {
    hint: NO_AGENT,
  });
}

export function localPath(path: string, { baseDirectory }: SecretsHost): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(baseDirectory, path);
}
