import { Semaphore } from "@ovault/contract";

import type { SshServer } from "../ssh-server.ts";
import { ChannelPool } from "./channel-pool.ts";
import type { RemoteEnd } from "./command-failures.ts";
import { followCommand, type FollowOptions } from "./follow-command.ts";
import type { RemoteConnection } from "./remote-connection.ts";
import { remoteProgram } from "./remote-program.ts";
import { runCommand, type RunOptions, type RunResult } from "./run-command.ts";
import { type CommandSite, startCommand, type StartedCommand, type StartOptions } from "./start-command.ts";

/** Tunnels that log in at once. */
const MOST_LOG_INS = 2;

/**
 * A log-in at a server that runs commands. They share one connection; where the server allows one command at a time
 * (MaxSessions 1), they run one after the other. When the connection was lost, the next command opens a new one.
 *
 * A script runs under /bin/sh, whatever the login shell is and prints. Its arguments are $1, $2…; no
 * shell parses them, and neither they nor the script are in a command line of the shell. All that a script started
 * ends when the signal is aborted, the deadline passes, the connection ends or ovault dies: at once when the server
 * notices, within two minutes when no side does. Its process group gets TERM, and KILL five seconds later. A script
 * that starts processes of other users, with sudo, has to end them in a trap.
 *
 * All methods throw SshUnavailableError when the connection is lost, what `open` throws when a new one fails, SshError
 * when the server runs no commands or an argument has a NUL, and the signal's reason.
 */
export class SshSession {
  readonly server: SshServer;
  /** Permits for log-ins beside that of the session. sshd refuses some when ten are under way (MaxStartups). */
  readonly logIns = new Semaphore(MOST_LOG_INS);
  readonly #site: CommandSite;

  private constructor(site: CommandSite) {
    this.server = site.server;
    this.#site = site;
  }

  /** The signal only ends the attempt. @throws HostKeyError, SshLoginError, SshUnavailableError, SshError */
  static async open(server: SshServer, signal: AbortSignal): Promise<SshSession> {
    return new SshSession({ server, pool: await ChannelPool.open(server, signal) });
  }

  /** For people: `root@kvm1:22`. */
  get title(): string {
    const { user, host, port } = this.server;
    return `${user}@${host}:${port}`;
  }

  /**
   * Runs a script to its end, in the C locale.
   * @throws RemoteCommandError when its exit code is not accepted, it takes too long or prints too much
   */
  async run(script: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
    return await runCommand(this.#site, script, args, options);
  }

  /**
   * Starts a script that lives until `close`, in the C locale, and waits for its first line on standard output.
   * @throws RemoteCommandError when the script ends first, or the line does not come in time
   */
  async start(script: string, args: readonly string[], options: StartOptions): Promise<StartedCommand> {
    return await startCommand(this.#site, script, args, options);
  }

  /**
   * Runs a script in the user's environment, and passes on its output as it comes, without a limit. Resolves to how the script ended, also when
   * the connection was lost, or when the signal was aborted and the script has ended because of it.
   */
  async follow(script: string, args: readonly string[], options: FollowOptions): Promise<RemoteEnd> {
    return await followCommand(this.#site, remoteProgram(script, { args, kind: "guarded" }), options);
  }

  /**
   * Like `follow`, for a command line that the server reads as it is: for forced commands, and for shells that cannot
   * run /bin/sh. After an abort, only servers that forward signals end it.
   */
  async followLine(line: string, options: FollowOptions): Promise<RemoteEnd> {
    return await followCommand(this.#site, { line }, options);
  }

  /** A connection of the session that is there now. */
  async connection(signal: AbortSignal): Promise<RemoteConnection> {
    return await this.#site.pool.connection(signal);
  }

  /** Ends the connections, and with them all that runs on them. Never rejects. */
  async close(): Promise<void> {
    this.#site.pool.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
