import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";

import type { SecretReference } from "../contract/plugin.ts";
import { CancelledError, ConfigurationError } from "../errors/errors.ts";

const COMMAND_TIMEOUT_MS = 30_000;
const WORLD_READABLE = 0o004;
const run = promisify(execFile);

/**
 * Turns a secret reference into its value; one line break at the end of a file or of a command's output is not part of
 * it. Relative paths, and the working directory of commands, are `baseDirectory`. Commands run without a shell.
 * @throws ConfigurationError when the secret is missing or empty, or its file is readable by everybody. The error never
 *   holds the value, nor what a command wrote.
 */
export async function resolveSecret(
  reference: SecretReference,
  options: { readonly baseDirectory: string; readonly signal?: AbortSignal },
): Promise<string> {
  const value = (await read(reference, options.baseDirectory, options.signal)).replace(/\r?\n$/, "");
  if (value === "") {
    throw new ConfigurationError(`the secret from ${describe(reference)} is empty`, {
      hint: "Check what it refers to.",
    });
  }
  return value;
}

async function read(reference: SecretReference, baseDirectory: string, signal?: AbortSignal): Promise<string> {
  if ("env" in reference) {
    const value = process.env[reference.env];
    if (value !== undefined) return value;
    throw new ConfigurationError(`the environment variable ${reference.env} is not set`, {
      hint: `It should hold a secret that the configuration refers to: export ${reference.env}=…`,
    });
  }
  if ("file" in reference) return await readSecretFile(resolve(baseDirectory, reference.file), signal);
  return await readFromCommand(reference.command, baseDirectory, signal);
}

async function readSecretFile(file: string, signal?: AbortSignal): Promise<string> {
  let mode: number;
  let text: string;
  try {
    ({ mode } = await stat(file));
    text = await readFile(file, { encoding: "utf8", signal });
  } catch (error) {
    throw new ConfigurationError(`cannot read the secret file ${file}`, { cause: error, context: { file } });
  }
  if ((mode & WORLD_READABLE) !== 0) {
    throw new ConfigurationError(`the secret file ${file} is readable by everybody on this machine`, {
      context: { file },
      hint: `chmod 600 ${file}`,
    });
  }
  return text;
}

async function readFromCommand(command: readonly string[], cwd: string, signal?: AbortSignal): Promise<string> {
  const [program = "", ...args] = command;
  try {
    const { stdout } = await run(program, args, { cwd, signal, timeout: COMMAND_TIMEOUT_MS, encoding: "utf8" });
    return stdout;
  } catch {
    if (signal?.aborted === true) throw new CancelledError(`cancelled while the secret command ${program} ran`);
    // Not kept as the cause: the original error holds the command's output, which may hold the secret.
    throw new ConfigurationError(`the secret command ${program} failed`, {
      context: { program },
      hint: "Run it by hand in the directory of ovault.yaml to see why.",
    });
  }
}

function describe(reference: SecretReference): string {
  if ("env" in reference) return `the environment variable ${reference.env}`;
  if ("file" in reference) return `the file ${reference.file}`;
  return `the command ${reference.command[0] ?? ""}`;
}
