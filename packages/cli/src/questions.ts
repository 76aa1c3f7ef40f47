import { createInterface } from "node:readline/promises";

import { UsageError } from "@ovault/contract";

import { escapeLine } from "./output/escape-controls.ts";

/** Asks the person at the terminal; where there is none, a missing answer is an error that names the option to give. */
export class Questions {
  readonly #signal: AbortSignal;
  readonly #interactive: boolean;

  constructor(
    signal: AbortSignal,
    interactive: boolean = process.stdin.isTTY === true && process.stderr.isTTY === true,
  ) {
    this.#signal = signal;
    this.#interactive = interactive;
  }

  /** @throws UsageError when nobody is there to answer, or the answer is empty and there is no default. */
  async ask(question: string, { option, fallback }: { option: string; fallback?: string }): Promise<string> {
    if (!this.#interactive) {
      if (fallback !== undefined) return fallback;
      throw new UsageError(`${option} is missing`, { hint: "Give it, or run in a terminal to be asked." });
    }
    const answer = await this.#read(fallback === undefined ? `${question}: ` : `${question} [${fallback}]: `);
    if (answer !== "") return answer;
    if (fallback !== undefined) return fallback;
    throw new UsageError(`no answer to "${question}"`);
  }

  /** False when nobody is there to answer. */
  async confirm(question: string): Promise<boolean> {
    return this.#interactive && /^y(es)?$/i.test(await this.#read(`${question} [y/N]: `));
  }

  async #read(prompt: string): Promise<string> {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    // While it reads keys, Ctrl-C comes as one and not as a signal.
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
