import type { ClientChannel } from "ssh2";

import { unlessAborted } from "@ovault/contract";

import { AfterMark } from "./after-mark.ts";
import type { ChannelOptions, ChannelPool, OpenedChannel } from "./channel-pool.ts";
import type { RemoteEnd } from "./command-failures.ts";
import { BEAT, BEAT_MS, GRACE_SECONDS, type RemoteProgram } from "./remote-program.ts";

/** For a command to end after the request: the guard's grace time, plus some for the answer to arrive. */
const END_MS = (GRACE_SECONDS + 5) * 1_000;

const UNKNOWN: RemoteEnd = { exitCode: undefined, signal: undefined, lost: undefined };

export type OutputListener = (stream: "stdout" | "stderr", bytes: Buffer) => void;

interface ProcessOptions extends ChannelOptions {
  readonly onOutput: OutputListener;
  /** How long processes that the command left running may hold its output open; default: as long as they like. */
  readonly drainMs?: number;
}

/** A command line, with what a program needs beside it. */
export type RemoteCommand = Pick<RemoteProgram, "line"> & Partial<RemoteProgram>;

/** One command on one channel. */
export class RemoteProcess {
  /** Resolves when the command has ended and its output is complete, or the connection is lost. Never rejects. */
  readonly ended: Promise<RemoteEnd>;
  readonly #channel: ClientChannel;
  readonly #stdout: AfterMark | undefined;
  #beats: NodeJS.Timeout | undefined;

  private constructor({ channel, connection }: OpenedChannel, { mark }: RemoteCommand, options: ProcessOptions) {
    const { onOutput, drainMs } = options;
    const { promise, resolve } = Promise.withResolvers<RemoteEnd>();
    this.#channel = channel;
    this.ended = promise;
    const listen = (stream: "stdout" | "stderr"): AfterMark | undefined => {
      const passOn = (bytes: Buffer): void => onOutput(stream, bytes);
      const filter = mark === undefined ? undefined : new AfterMark(mark, passOn);
      const readable = stream === "stdout" ? channel : channel.stderr;
      readable.on("data", filter === undefined ? passOn : (bytes: Buffer) => filter.add(bytes));
      return filter;
    };
    this.#stdout = listen("stdout");
    listen("stderr");
    let end: RemoteEnd | undefined;
    channel.on("exit", (code: number | null, signal?: string) => {
      end = { ...UNKNOWN, exitCode: code ?? undefined, signal };
      if (drainMs !== undefined) setTimeout(resolve, drainMs, end).unref();
    });
    channel.on("close", () => resolve(end ?? { ...UNKNOWN, lost: connection.lossReason() }));
    channel.on("error", () => undefined);
    void connection.lost.then((lost) => resolve(end ?? { ...UNKNOWN, lost }));
    void promise.then(() => clearInterval(this.#beats));
  }

  /** @throws SshUnavailableError, SshError; the signal's reason */
  static async start(pool: ChannelPool, command: RemoteCommand, options: ProcessOptions): Promise<RemoteProcess> {
    const process = new RemoteProcess(await pool.exec(command.line, options), command, options);
    if (command.preamble !== undefined) process.#feed(command.preamble);
    return process;
  }

  /** Whether the login shell ran the program. */
  get hasBegun(): boolean {
    return this.#stdout?.found ?? true;
  }

  /** What the login shell printed. */
  get noise(): string {
    return this.#stdout?.noise.toString() ?? "";
  }

  /** Waits for the end, and asks for it when the signal is aborted. Never rejects. */
  async complete(signal: AbortSignal): Promise<RemoteEnd> {
    try {
      return await unlessAborted(this.ended, signal);
    } catch {
      return await this.stop();
    }
  }

  /** Asks the command to end with all that it started. After ten seconds, leaves that to the server. Never rejects. */
  async stop(): Promise<RemoteEnd> {
    clearInterval(this.#beats);
    // For commands without a guard: servers may forward signals.
    this.#channel.signal("TERM");
    this.#channel.end();
    const { promise: impatience, resolve } = Promise.withResolvers<RemoteEnd>();
    const timer = setTimeout(resolve, END_MS, UNKNOWN);
    const end = await Promise.race([this.ended, impatience]);
    clearTimeout(timer);
    this.#channel.close();
    return end;
  }

  /** Sends a program, and beats as long as it runs. */
  #feed(preamble: string): void {
    this.#channel.write(preamble);
    this.#beats = setInterval(() => this.#channel.write(BEAT), BEAT_MS).unref();
  }
}
