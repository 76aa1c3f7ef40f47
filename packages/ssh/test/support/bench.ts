import { onTestFinished } from "vitest";

import { sshServer, SshSession } from "@ovault/ssh";
import { OpenSshServer, type ServerOptions } from "@ovault/test-support/open-ssh-server";

/** A server for one test. */
export async function startServer(options: ServerOptions): Promise<OpenSshServer> {
  const server = await OpenSshServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

export async function openSession(server: OpenSshServer, { timeoutMs = 30_000 } = {}): Promise<SshSession> {
  return await SshSession.open(await sshServer(await server.settings(), timeoutMs), new AbortController().signal);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
