import { CancelledError } from "@ovault/contract";

import { EXIT } from "./exit.ts";
import type { Terminal } from "./output/terminal.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Turns Ctrl-C (and SIGTERM, SIGHUP) into an abort signal. The first one lets the command clean up; a second one exits
 * at once, and prints what is left behind and how to remove it.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #terminal: Terminal;
  #done = false;
  /** Describes what an exit now would leave behind; a command that knows replaces it. */
  remainder: () => Promise<readonly string[]> = async () => [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The command is done: a later signal ends the process with the outcome's exit code, not as killed. */
  [Symbol.dispose](): void {
    this.#done = true;
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#done) process.exit();
    if (this.signal.aborted) {
      void this.#leave();
      return;
    }
    this.#terminal.note(`${name}: stopping and cleaning up; once more to leave at once`);
    this.#controller.abort(new CancelledError(`interrupted by ${name}`));
  };

  async #leave(): Promise<never> {
    const left = await this.remainder().catch(() => []);
    if (left.length > 0) {
      const lines = left.map((line) => `  ${line}`);
      this.#terminal.complain(["Left behind:", ...lines, "Remove it with: ovault doctor --fix"].join("\n"));
    }
    process.exit(EXIT.cancelled);
  }
}
