import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";

import {
  type SecretReference,
  CancelledError,
  ConfigurationError,
  decodeText,
  withoutByteOrderMark,
  readSettingsFile,
} from "@ovault/contract";

const COMMAND_TIMEOUT_MS = 30_000;
/** Size limit of a secret, four times the longest private keys. */
const MOST_BYTES = 64 * 1024;
const WORLD_READABLE = 0o004;
const run = promisify(execFile);

/**
 * Resolves a secret reference to its value, UTF-8 text, without a leading byte order mark and one trailing line break
 * (LF, CR LF or CR). Relative paths refer to `baseDirectory`, where commands also run, without a shell.
 * @throws ConfigurationError when the secret is missing, empty, longer than 64 KiB or not UTF-8, or its file is
 *   world-readable or world-writable. The error never holds the value, nor what a command wrote.
 */
export async function resolveSecret(
  reference: SecretReference,
  options: { readonly baseDirectory: string; readonly signal?: AbortSignal },
): Promise<string> {
  const text = await read(reference, options.baseDirectory, options.signal);
  const value = withoutByteOrderMark(text).replace(/(\r?\n|\r)$/, "");
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
  const { text, stats } = await readSettingsFile(file, { what: "the secret file", mostBytes: MOST_BYTES }, signal);
  if ((stats.mode & WORLD_READABLE) !== 0) {
    throw new ConfigurationError(`the secret file ${file} is readable by every user of this machine`, {
      context: { file },
      hint: `chmod 600 ${file}`,
    });
  }
  return text;
}

async function readFromCommand(command: readonly string[], cwd: string, signal?: AbortSignal): Promise<string> {
  const [program = "", ...args] = command;
  const limits = { timeout: COMMAND_TIMEOUT_MS, killSignal: "SIGKILL", maxBuffer: MOST_BYTES } as const;
  let output: Buffer;
  try {
    output = (await run(program, args, { cwd, signal, encoding: "buffer", ...limits })).stdout;
  } catch (error) {
    if (signal?.aborted === true) throw new CancelledError(`cancelled while the secret command ${program} ran`);
    // Not kept as the cause: the original error holds the command's output, which may include the secret.
    throw new ConfigurationError(`the secret command ${program} ${failure(error)}`, {
      context: { program },
      hint: "Run it by hand in the directory of ovault.yaml to see why.",
    });
  }
  return decodeText(output, `the output of the secret command ${program}`);
}

function failure(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return `wrote more than ${MOST_BYTES} bytes`;
  }
  const overdue = error instanceof Error && "killed" in error && error.killed === true;
  return overdue ? `did not end within ${COMMAND_TIMEOUT_MS / 1000} s` : "failed";
}

function describe(reference: SecretReference): string {
  if ("env" in reference) return `the environment variable ${reference.env}`;
  if ("file" in reference) return `the file ${reference.file}`;
  return `the command ${reference.command[0] ?? ""}`;
}
