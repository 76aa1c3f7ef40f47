import { randomBytes } from "node:crypto";

import { SshError } from "../errors.ts";

/** Between the request to end and the kill. */
export const GRACE_SECONDS = 5;

/** ovault writes a beat to the standard input of a guarded program in this interval. */
export const BEAT_MS = 20_000;
export const BEAT = "\n";

/** Without a beat for this time, the guard ends the program: the network is gone, though no side has noticed. */
const MOST_SILENCE_SECONDS = 120;

/** The server reads programs byte by byte, so that it leaves in the stream what follows them. */
const MOST_PROGRAM_BYTES = 256 * 1024;

/** Begins a script whose output ovault reads: messages in English, and the programs that only root usually finds. */
export const FOR_TOOLS = "LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export LC_ALL PATH\n";

/** A script for /bin/sh on the server, in the form that passes any login shell. */
export interface RemoteProgram {
  /** The command line: alike for all scripts but for a number and a random word, which mean the same to every shell. */
  readonly line: string;
  /** What standard input begins with: the script and its arguments. They are in no command line. */
  readonly preamble: string;
  /** The program prints this line to both its outputs before anything else; noise of the login shell comes before it. */
  readonly mark: string;
}

export interface ProgramOptions {
  readonly args: readonly string[];
  /**
   * `guarded`: ends the process group when beats or standard input end, and the script reads `input`.
   * `streaming`: the script has the standard input of the channel.
   */
  readonly kind: "guarded" | "streaming";
  readonly input?: Uint8Array | undefined;
}

/** @throws SshError for a NUL in the script or in an argument, and when all together are too long */
export function remoteProgram(script: string, { args, kind, input }: ProgramOptions): RemoteProgram {
  if ([script, ...args].some((text) => text.includes("\0"))) {
    throw new SshError("a remote command cannot have an argument with a NUL");
  }
  const mark = `ovault-${randomBytes(8).toString("hex")}`;
  const body = `set -- ${args.map(quoted).join(" ")}\n${script}\n`;
  const program = [
    `: ${mark}`,
    `printf '%s\\n' ${mark}; printf '%s\\n' ${mark} >&2`,
    kind === "guarded" ? guarded(body, input) : body,
    `#${mark}`,
  ].join("\n");
  const bytes = Buffer.byteLength(program);
  if (bytes > MOST_PROGRAM_BYTES) {
    throw new SshError(`a remote command of ${bytes} bytes is too long`, {
      context: { bytes, mostBytes: MOST_PROGRAM_BYTES },
    });
  }
  // Evaluates nothing but the whole program: a connection may break in the middle of it. Double quotes inside single
  // ones, no exclamation mark, backslash or line break: that is what sh, bash, csh and fish read alike.
  const reader = `p=$(dd bs=1 count=${bytes} 2>/dev/null); case $p in ": ${mark}"*"#${mark}") eval "$p";; *) exit 70;; esac`;
  return { line: `exec /bin/sh -c '${reader}'`, preamble: program, mark };
}

/** SSH servers forward signals only for users other than root, and not all do: the end of input is the signal. */
function guarded(body: string, input: Uint8Array | undefined): string {
  const guard = [
    // HUP: the script has ended. The reader has to end too, for it keeps the channel open.
    `trap 'kill "$reader"; exit' HUP; trap : TERM`,
    `limit='timeout ${MOST_SILENCE_SECONDS}'; command -v timeout || limit=`,
    `while $limit /bin/sh -c 'read -r beat' <&3 & reader=$!; wait "$reader"; do :; done`,
    "trap '' TERM",
    "kill -s TERM 0",
    `sleep ${GRACE_SECONDS}`,
    "kill -s KILL 0",
  ].join("\n");
  const source = input === undefined ? "" : `printf '${escaped(input)}' | `;
  return [
    "exec 3<&0 </dev/null",
    `(${guard}) >/dev/null 2>&1 & ovault_guard=$!`,
    `${source}(exec 3<&-\n${body})`,
    'ovault_code=$?; kill -s HUP "$ovault_guard"; exit "$ovault_code"',
  ].join("\n");
}

/** A single word for a POSIX shell that stands for exactly this text. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Bytes as a format of printf in single quotes. */
function escaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    const text = String.fromCharCode(byte);
    return /[\w ./:=,\n-]/.test(text) ? text : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
}
