import { unlessAborted } from "@ovault/contract";

import type { SshServer } from "../ssh-server.ts";
import type { ChannelPool } from "./channel-pool.ts";
import { commandFailed, connectionLost, describeEnd, type RemoteEnd, shellFailed } from "./command-failures.ts";
import { RemoteOutput } from "./remote-output.ts";
import { RemoteProcess } from "./remote-process.ts";
import { FOR_TOOLS, remoteProgram } from "./remote-program.ts";

export const DEADLINE_MS = 60_000;
/** Kept of output that is no result. */
export const TAIL_BYTES = 16 * 1024;

export interface CommandSite {
  readonly server: SshServer;
  readonly pool: ChannelPool;
}

export interface StartOptions {
  /** Ends the command when aborted. */
  readonly signal: AbortSignal;
  /** For the command to end, or to be ready; default: a minute. */
  readonly deadlineMs?: number;
  /** Standard input of the script; empty by default. Up to some 60 KiB. */
  readonly input?: Uint8Array;
}

/** A remote process that lives until it is closed. */
export interface StartedCommand {
  /** The first line that it printed. */
  readonly ready: string;
  /** Resolves when it is gone, or the connection is. Never rejects. */
  readonly ended: Promise<StartedEnd>;
  /** Ends it with all its children, and waits for that up to ten seconds. Never rejects. */
  close(): Promise<void>;
}

export interface StartedEnd extends RemoteEnd {
  /** The last 16 KiB. */
  readonly stderr: string;
}

/** See SshSession.start. */
export async function startCommand(
  { server, pool }: CommandSite,
  script: string,
  args: readonly string[],
  options: StartOptions,
): Promise<StartedCommand> {
  const { deadlineMs = DEADLINE_MS, input } = options;
  const program = remoteProgram(FOR_TOOLS + script, { args, kind: "guarded", input });
  const stderr = new RemoteOutput(TAIL_BYTES);
  const firstLine = new FirstLine();
  const deadline = AbortSignal.timeout(deadlineMs);
  const starting = AbortSignal.any([options.signal, deadline]);
  let process: RemoteProcess | undefined;
  try {
    process = await RemoteProcess.start(pool, program, {
      use: "long",
      signal: starting,
      onOutput: (stream, bytes) => (stream === "stdout" ? firstLine.add(bytes) : stderr.add(bytes)),
    });
    const ended = process.ended.then((end) => ({ ...end, stderr: stderr.text }));
    const ready = await unlessAborted(Promise.race([firstLine.promise, ended]), starting);
    if (typeof ready !== "string") throw failureOf(server, process, ready);
    return { ready, ended, close: endOn(options.signal, process) };
  } catch (error) {
    await process?.stop();
    options.signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    throw commandFailed(server, { how: `was not ready within ${deadlineMs} ms`, stderr: stderr.text });
  }
}

/** Ends the process when the signal is aborted. Returns what ends it before. */
function endOn(signal: AbortSignal, process: RemoteProcess): () => Promise<void> {
  const close = async (): Promise<void> => void (await process.stop());
  const onAbort = (): void => void close();
  signal.addEventListener("abort", onAbort);
  void process.ended.then(() => signal.removeEventListener("abort", onAbort));
  if (signal.aborted) onAbort();
  return close;
}

function failureOf(server: SshServer, { hasBegun, noise }: RemoteProcess, end: StartedEnd): Error {
  if (!hasBegun) return shellFailed(server, end, noise);
  if (end.lost !== undefined) return connectionLost(server, end.lost);
  return commandFailed(server, {
    how: `${describeEnd(end)} before it was ready`,
    stderr: end.stderr,
    exitCode: end.exitCode,
  });
}

/** The first line of an output; the rest is ignored. */
class FirstLine {
  readonly #output = new RemoteOutput(TAIL_BYTES);
  readonly #line = Promise.withResolvers<string>();
  #isComplete = false;

  get promise(): Promise<string> {
    return this.#line.promise;
  }

  add(bytes: Buffer): void {
    if (this.#isComplete) return;
    this.#output.add(bytes);
    const { text } = this.#output;
    this.#isComplete = text.includes("\n");
    if (this.#isComplete) this.#line.resolve(text.slice(0, text.indexOf("\n")));
  }
}
