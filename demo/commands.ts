import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));

/** Output and duration of a command. */
export interface Finished {
  readonly stdout: string;
  readonly elapsedMs: number;
}

/** Runs commands one after the other, as a user would type them. */
export class Commands {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #signal: AbortSignal;

  constructor(env: Readonly<Record<string, string>>, signal: AbortSignal) {
    this.#env = { ...process.env, ...env, PATH: [BIN, process.env["PATH"], "/usr/sbin", "/sbin"].join(delimiter) };
    this.#signal = signal;
  }

  /** Shows the command and everything it prints. @throws Error unless it ends well. */
  async show(command: string, ...args: readonly string[]): Promise<Finished> {
    process.stdout.write(`\n$ ${[command, ...args].map(quoted).join(" ")}\n`);
    return await this.#run(command, args, (text) => process.stdout.write(text));
  }

  /** Shows nothing. @throws Error, with what it printed, unless it ends well. */
  async quietly(command: string, ...args: readonly string[]): Promise<Finished> {
    return await this.#run(command, args, () => true);
  }

  async #run(command: string, args: readonly string[], show: (text: string) => void): Promise<Finished> {
    this.#signal.throwIfAborted();
    const startedAt = performance.now();
    // A separate process group: Ctrl-C only reaches the demo, which then stops its processes.
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env: this.#env });
    const stop = (): boolean => child.kill("SIGINT");
    this.#signal.addEventListener("abort", stop, { once: true });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      show(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      show(text);
    });
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject).once("close", resolve);
    try {
      const exitCode = await promise;
      this.#signal.throwIfAborted();
      if (exitCode === 0) return { stdout, elapsedMs: performance.now() - startedAt };
      throw new Error(`${command} ${args.join(" ")} ended with exit code ${exitCode}:\n${stdout}${stderr}`);
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
