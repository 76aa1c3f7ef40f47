import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

import { run } from "./commands.ts";

/** A network of its own, with a loopback interface and every port free. Needs root. */
export class NetworkNamespace implements AsyncDisposable {
  readonly #holder: ChildProcess;

  static async create(): Promise<NetworkNamespace> {
    const script = "ip link set lo up && echo up && exec cat";
    const holder = spawn("unshare", ["-n", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const [event]: unknown[] = await Promise.race([once(holder.stdout, "data"), once(holder, "exit")]);
    if (!Buffer.isBuffer(event)) throw new Error(`no network namespace: unshare ended with ${String(event)}`);
    return new NetworkNamespace(holder);
  }

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** What runs a program in this network. */
  command(program: string, args: readonly string[]): readonly [string, ...string[]] {
    return ["nsenter", `--net=/proc/${this.#holder.pid}/ns/net`, "--", program, ...args];
  }

  /** Runs a program to its end and resolves to its output; a failure rejects with its stderr in the message. */
  async run(program: string, args: readonly string[]): Promise<string> {
    const [first, ...others] = this.command(program, args);
    return await run(first, others);
  }

  /** A process that the caller ends. */
  spawn(program: string, args: readonly string[]): ChildProcessByStdio<null, Readable, null> {
    const [first, ...others] = this.command(program, args);
    return spawn(first, others, { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** After its processes have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) await once(this.#holder, "exit");
  }
}
