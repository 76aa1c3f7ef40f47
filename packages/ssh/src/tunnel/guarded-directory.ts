import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

import { TunnelError } from "../errors.ts";
import { newDirectoryName, removeAbandoned } from "./directory-owner.ts";

/** Paths of unix sockets have at most 107 bytes, and the ssh command gives a meaning to blanks, `:`, `%` and `$`. */
const PLAIN_PATH = /^\/[\w./-]{0,50}$/;

/**
 * Makes a directory; on the first line of standard input, runs the command. When the command ends, or standard input
 * does, which ovault holds open as long as it lives, ends the command and removes the directory.
 */
const GUARD = `
directory=$1; shift
trap : TERM INT HUP
mkdir -m 700 "$directory" || exit
exec 3<&0 </dev/null
echo; exec >/dev/null
if read -r start <&3; then
  "$@" 3<&- & command=$!
  (read -r never <&3; kill "$command") 2>/dev/null & lifeline=$!
  wait "$command"; kill "$command" "$lifeline" 2>/dev/null; wait "$command"
fi
rm -rf "$directory"
`;

/**
 * A new directory of this user alone. It goes when ovault does, however that happens, with the command that uses it; if
 * the guard is killed as well, with the next one that ovault makes.
 */
export class GuardedDirectory {
  readonly path: string;
  /** Resolves to the last words of the command when it has ended and the directory is gone. Never rejects. */
  readonly ended: Promise<string>;
  readonly #shell: ChildProcessByStdio<Writable, Readable, Readable>;
  #words = "";

  private constructor(path: string, command: readonly string[], env: NodeJS.ProcessEnv) {
    this.path = path;
    this.#shell = spawn("/bin/sh", ["-c", GUARD, "ovault-guard", path, ...command], {
      // A process group of its own, because Ctrl-C must reach ovault alone, which then ends the tunnel.
      detached: true,
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#shell.stdin.on("error", () => undefined);
    this.#shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = `${this.#words}${text}`.slice(-2_000);
    });
    this.ended = this.#end();
  }

  /** The command may refer to files in the directory, whose path it gets. @throws TunnelError */
  static async make(
    command: (directory: string) => readonly string[] = () => [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<GuardedDirectory> {
    const parent = PLAIN_PATH.test(tmpdir()) ? tmpdir() : "/tmp";
    await removeAbandoned(parent);
    const path = join(parent, newDirectoryName());
    const made = new GuardedDirectory(path, command(path), env);
    const isMade = await Promise.race([
      once(made.#shell.stdout, "data").then(() => true),
      made.ended.then(() => false),
    ]);
    if (isMade) return made;
    throw new TunnelError(`cannot make the directory ${path} for a tunnel: ${made.#words.trim()}`);
  }

  /** Runs the command. */
  start(): void {
    this.#shell.stdin.write("\n");
  }

  /** Ends the command and removes the directory. Never rejects. */
  async close(): Promise<void> {
    this.#shell.stdin.end();
    await this.ended;
  }

  async #end(): Promise<string> {
    await once(this.#shell, "close").catch((error: unknown) => (this.#words += String(error)));
    this.#shell.stdin.destroy();
    return this.#words.trim();
  }
}
