import { constants, type Stats } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

import { ConfigurationError } from "../errors/errors.ts";
import type { Wording } from "../errors/wording.ts";
import { decodeText } from "./decode-text.ts";
import { messageOf } from "./message-of.ts";
import { systemErrorCode, systemErrorText } from "./system-error.ts";

const WRITABLE_BY_ALL = 0o002;
/** Pipes that a shell opened for this process: `file:<(pass show ovault)`. */
const OPENED_BY_SHELL = /^\/(?:dev|proc\/self)\/(?:fd\/|stdin$)/;

/** By the code of the system's error. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  ENOENT: "Correct the path, or put the file there.",
  EACCES: "Let the user that runs ovault read it: `namei -l` shows the owner and mode of each part of the path.",
};

export interface SettingsFileKind {
  /** For errors: `the secret file`. */
  readonly what: string;
  /** Refuses a longer file, and reads no further in an endless one. */
  readonly mostBytes: number;
  /** Hint of the error when it cannot be read; default: what its reason calls for. */
  readonly hint?: Wording;
}

/**
 * Reads a small text file that people write: ovault.yaml, or one that it refers to.
 * @throws ConfigurationError when it cannot be read, is a named pipe, is too large, is not UTF-8, or is world-writable
 */
export async function readSettingsFile(
  file: string,
  { what, mostBytes, hint }: SettingsFileKind,
  signal?: AbortSignal,
): Promise<{ readonly text: string; readonly stats: Stats }> {
  const context = { file };
  let read: { readonly bytes: Buffer; readonly stats: Stats };
  try {
    // Without a writer, opening a named pipe would block a thread that no signal ends.
    const waits = OPENED_BY_SHELL.test(file);
    await using handle = await open(file, constants.O_RDONLY | (waits ? 0 : constants.O_NONBLOCK));
    const stats = await handle.stat();
    if (stats.isFIFO() && !waits) throw new Error("it is a named pipe, not a file");
    read = { stats, bytes: await readUpTo(handle, mostBytes + 1, signal) };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ConfigurationError(`cannot read ${what} ${file}: ${systemErrorText(cause) ?? messageOf(cause)}`, {
      cause,
      context,
      hint: hint ?? NEXT_STEPS[systemErrorCode(cause) ?? ""] ?? "Is it the file that was meant?",
    });
  }
  const { bytes, stats } = read;
  if (bytes.length > mostBytes) {
    throw new ConfigurationError(`${what} ${file} has more than ${mostBytes} bytes`, {
      context,
      hint: "Is it the file that was meant?",
    });
  }
  if ((stats.mode & WRITABLE_BY_ALL) !== 0 && stats.isFile()) {
    throw new ConfigurationError(`${what} ${file} is writable by every user of this machine`, {
      context,
      hint: `chmod go-w ${file}`,
    });
  }
  return { stats, text: decodeText(bytes, `${what} ${file}`) };
}

async function readUpTo(handle: FileHandle, most: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const target = Buffer.alloc(most);
  let filled = 0;
  while (filled < most) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(target, filled, most - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return target.subarray(0, filled);
}
