import { createInterface } from "node:readline/promises";

import { UsageError } from "@ovault/contract";

import { escapeLine } from "./output/escape-controls.ts";

/** Asks the person at the terminal; without a terminal, a missing answer is an error that names the option to pass. */
export class Questions {
  readonly #signal: AbortSignal;
  /** Whether there is a terminal to ask in. */
  readonly interactive: boolean;

  constructor(
    signal: AbortSignal,
    interactive: boolean = process.stdin.isTTY === true && process.stderr.isTTY === true,
  ) {
    this.#signal = signal;
    this.interactive = interactive;
  }

  /** @throws UsageError without a default, when there is no terminal or the answer is empty */
  async ask(question: string, { option, fallback }: { option: string; fallback?: string }): Promise<string> {
    if (!this.interactive) {
      if (fallback !== undefined) return fallback;
      throw new UsageError(`${option} is missing`, { hint: "Give it, or run in a terminal to be asked." });
    }
    const answer = await this.#read(fallback === undefined ? `${question}: ` : `${question} [${fallback}]: `);
    if (answer !== "") return answer;
    if (fallback !== undefined) return fallback;
    throw new UsageError(`no answer to "${question}"`);
  }

  /** False without a terminal. */
  async confirm(question: string): Promise<boolean> {
    return this.interactive && /^y(es)?$/i.test(await this.#read(`${question} [y/N]: `));
  }

  async #read(prompt: string): Promise<string> {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    // In raw mode Ctrl-C arrives as a key and not as a signal.
    terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    try {
      return (await terminal.question(escapeLine(prompt), { signal: this.#signal })).trim();
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new UsageError("the question was not answered", { cause: error });
    } finally {
      terminal.close();
    }
  }
}
