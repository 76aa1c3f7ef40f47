import type { RemoteEnvironment } from "./channel-pool.ts";
import { type RemoteEnd, shellFailed } from "./command-failures.ts";
import { type OutputListener, type RemoteCommand, RemoteProcess } from "./remote-process.ts";
import type { CommandSite } from "./start-command.ts";

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onOutput: OutputListener;
  /** How long processes that the command left running may hold its output open. */
  readonly drainMs: number;
  /** Requests for variables, which servers may ignore. */
  readonly environment?: RemoteEnvironment;
}

/** See SshSession.follow. */
export async function followCommand(
  { server, pool }: CommandSite,
  command: RemoteCommand,
  options: FollowOptions,
): Promise<RemoteEnd> {
  const process = await RemoteProcess.start(pool, command, { ...options, use: "short" });
  const end = await process.complete(options.signal);
  if (!process.hasBegun && end.lost === undefined && !options.signal.aborted) {
    throw shellFailed(server, end, process.noise);
  }
  return end;
}
