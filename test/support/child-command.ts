import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { tally } from "@ovault/testkit";

const LAUNCHER = fileURLToPath(new URL("../../packages/cli/bin/ovault.js", import.meta.url));
const RUN_STEPS = fileURLToPath(new URL("run-steps.ts", import.meta.url));

export interface CommandEnd {
  /** Null when it was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** When to send the command a signal: at a step of run-steps.ts, or after a time. */
export interface Strike {
  readonly signal: "SIGKILL" | "SIGINT";
  readonly at: { readonly step: number } | { readonly ms: number };
}

export interface ChildCommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly strike?: Strike;
  /** Where to write the steps of the command. */
  readonly stepsFile?: string;
}

/** The real command line in a separate process, which may receive a signal. */
export class ChildCommand {
  readonly ended: Promise<CommandEnd>;
  readonly #child: ReturnType<typeof ChildCommand.spawn>;

  constructor(args: readonly string[], options: ChildCommandOptions) {
    this.#child = ChildCommand.spawn(args, options);
    this.ended = this.#wait();
    const { strike } = options;
    if (strike === undefined || !("ms" in strike.at)) return;
    const timer = setTimeout(() => this.#child.kill(strike.signal), strike.at.ms);
    void this.ended.finally(() => clearTimeout(timer));
  }

  /** Resolves when the command has written this to stderr; rejects when it ends without. */
  async printed(text: string): Promise<void> {
    let seen = "";
    for await (const piece of this.#child.stderr.iterator({ destroyOnReturn: false })) {
      seen += String(piece);
      if (seen.includes(text)) return;
    }
    throw new Error(`the command ended without ${JSON.stringify(text)}: ${seen}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  private static spawn(args: readonly string[], { cwd, env, strike, stepsFile }: ChildCommandOptions) {
    const counted = stepsFile !== undefined || (strike !== undefined && "step" in strike.at);
    const steps =
      strike === undefined || !("step" in strike.at)
        ? {}
        : { OVAULT_STEP: String(strike.at.step), OVAULT_STEP_SIGNAL: strike.signal };
    return spawn(process.execPath, [...(counted ? ["--import", RUN_STEPS] : []), LAUNCHER, ...args], {
      cwd,
      env: { ...process.env, ...env, ...steps, ...(stepsFile === undefined ? {} : { OVAULT_STEPS_FILE: stepsFile }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async #wait(): Promise<CommandEnd> {
    const child = this.#child;
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject).once("close", resolve);
    const exitCode = await promise;
    if (child.signalCode === "SIGKILL") tally("kills");
    return { exitCode, stdout, stderr };
  }
}
