import { commandFailed, connectionLost, describeEnd, shellFailed } from "./command-failures.ts";
import { RemoteOutput } from "./remote-output.ts";
import { RemoteProcess } from "./remote-process.ts";
import { FOR_TOOLS, remoteProgram } from "./remote-program.ts";
import { type CommandSite, DEADLINE_MS, type StartOptions, TAIL_BYTES } from "./start-command.ts";

const MOST_BYTES = 1024 * 1024;

export interface RunOptions extends StartOptions {
  /** Most that standard output may be; default: 1 MiB. */
  readonly mostBytes?: number;
  /** Exit codes that are no failure; default: 0 alone. */
  readonly accept?: readonly number[];
}

export interface RunResult {
  readonly stdout: string;
  /** The last 16 KiB. */
  readonly stderr: string;
  readonly exitCode: number;
}

/** See SshSession.run. */
export async function runCommand(
  { server, pool }: CommandSite,
  script: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const { deadlineMs = DEADLINE_MS, mostBytes = MOST_BYTES, accept = [0], input } = options;
  const program = remoteProgram(FOR_TOOLS + script, { args, kind: "guarded", input });
  const output = { stdout: new RemoteOutput(mostBytes), stderr: new RemoteOutput(TAIL_BYTES) };
  const flood = new AbortController();
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = AbortSignal.any([options.signal, deadline, flood.signal]);
  const failed = (how: string, exitCode?: number): Error =>
    commandFailed(server, { how, stderr: output.stderr.text, exitCode });
  try {
    const process = await RemoteProcess.start(pool, program, {
      use: "short",
      signal,
      onOutput: (stream, bytes) => {
        output[stream].add(bytes);
        if (output.stdout.exceeded) flood.abort();
      },
    });
    const end = await process.complete(signal);
    signal.throwIfAborted();
    if (!process.hasBegun) throw shellFailed(server, end, process.noise);
    if (end.lost !== undefined) throw connectionLost(server, end.lost);
    const { exitCode } = end;
    if (exitCode === undefined || !accept.includes(exitCode)) throw failed(describeEnd(end), exitCode);
    return { stdout: output.stdout.text, stderr: output.stderr.text, exitCode };
  } catch (error) {
    options.signal.throwIfAborted();
    if (flood.signal.aborted) throw failed(`printed more than ${mostBytes} bytes`);
    if (deadline.aborted) throw failed(`did not end within ${deadlineMs} ms`);
    throw error;
  }
}
