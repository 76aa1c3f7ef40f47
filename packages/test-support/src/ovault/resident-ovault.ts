import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { OvaultOptions, OvaultResult } from "./run-ovault.ts";

const PROGRAM = fileURLToPath(new URL("resident-program.ts", import.meta.url));

/** A process that runs command lines, one after the other. It ends with this process. */
export class ResidentOvault {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(PROGRAM, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    // It must not keep a test run alive.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** False when a command has ended the process. */
  get lives(): boolean {
    return this.#child.connected;
  }

  async run(args: readonly string[], { cwd, env = {} }: OvaultOptions): Promise<OvaultResult> {
    const { promise, resolve, reject } = Promise.withResolvers<OvaultResult>();
    const gone = (): void => reject(new Error(`the process of ovault ${args.join(" ")} has ended`));
    this.#child.once("message", (result: OvaultResult) => resolve(result)).once("close", gone);
    this.#child.send({ args, cwd, env: { ...process.env, ...env } } satisfies ResidentCommand);
    try {
      return await promise;
    } finally {
      this.#child.off("close", gone);
    }
  }
}

/** The message to the process. */
export interface ResidentCommand {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}
