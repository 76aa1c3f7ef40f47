import { ManagerError } from "@ovault/contract";
import type { SshServer } from "@ovault/ssh";

/** How a remote command ended: with a code, by a signal, or unknown, because the connection was lost. */
export interface RemoteEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Why the connection was lost; undefined when the command ended before. */
  readonly lost: string | undefined;
}

export interface ServiceEnd extends RemoteEnd {
  /** The last part of it. */
  readonly stderr: string;
}

export interface RemoteOptions {
  readonly signal: AbortSignal;
  readonly deadlineMs?: number;
  readonly input?: Uint8Array;
  readonly mostBytes?: number;
  /** Exit codes that are no error, beside 0. */
  readonly accept?: readonly number[];
}

export interface RemoteService {
  readonly ready: string;
  readonly ended: Promise<ServiceEnd>;
  close(): Promise<void>;
}

/** The part of a log-in at a server that a hypervisor needs. */
export interface SshSession {
  readonly title: string;
  readonly server: SshServer;
  run(
    script: string,
    args: readonly string[],
    options: RemoteOptions,
  ): Promise<{ readonly stdout: string; readonly stderr: string; readonly exitCode: number }>;
  start(script: string, args: readonly string[], options: RemoteOptions): Promise<RemoteService>;
  close(): Promise<void>;
}

export async function openSession({ host }: SshServer, _signal: AbortSignal): Promise<SshSession> {
  throw new ManagerError(`no session at ${host} yet`);
}
