import type { Client, SFTPWrapper } from "ssh2";

import { StoreError, StoreUnavailableError, unlessAborted } from "@ovault/contract";
import { connectSsh, type SshServer } from "@ovault/ssh";

import { mapSshError } from "./map-ssh-error.ts";
import { SftpConnection } from "./sftp-connection.ts";

/**
 * Logs in and starts SFTP. The signal only ends the attempt.
 * @throws HostKeyError before the client sends anything secret, StorePermissionError when the server refuses the login,
 *   StoreUnavailableError, StoreError when the server has no SFTP.
 */
export async function connect(server: SshServer, signal: AbortSignal): Promise<SftpConnection> {
  const { client, socket } = await connectSsh(server, signal).catch((error: unknown) => {
    throw mapSshError(error);
  });
  const { host, port, timeoutMs } = server;
  try {
    const sftp = await unlessAborted(startSftp(client, server), signal);
    return new SftpConnection({ client, sftp, socket, server: `${host}:${port}`, timeoutMs });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function startSftp(client: Client, server: SshServer): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  const { timeoutMs } = server;
  const timer = setTimeout(() => reject(lost(`SFTP was not started within ${timeoutMs} ms`, server)), timeoutMs);
  client.on("error", (error) => reject(lost(error.message, server)));
  client.on("close", () => reject(lost("the server ended the connection", server)));
  client.sftp((error, sftp) => {
    if (error) reject(withoutSftp(error, server));
    else resolve(sftp);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function lost(why: string, { host, port }: SshServer): StoreUnavailableError {
  return new StoreUnavailableError(`cannot connect to ${host}:${port}: ${why}`, {
    context: { host, port },
    retry: "transient",
    hint: "Does the network hold, and does the server run? Its log says whether it ended the connection.",
  });
}

function withoutSftp(cause: Error, { host, port }: SshServer): StoreError {
  return new StoreError(`${host}:${port} does not start SFTP: ${cause.message}`, {
    cause,
    context: { host, port },
    hint: "The server needs the subsystem sftp (`Subsystem sftp internal-sftp` in sshd_config), and the user's shell must not print anything.",
  });
}
