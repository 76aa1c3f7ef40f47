import { StorePermissionError, StoreUnavailableError } from "@ovault/contract";
import { sshServer } from "@ovault/ssh";

import { connect } from "./connect.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { mapSshError } from "./map-ssh-error.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import type { SftpSettings } from "./sftp-settings.ts";

/** Does not connect yet. @throws StorePermissionError when the private key cannot be used. */
export async function openPool(settings: SftpSettings): Promise<ConnectionPool> {
  const { connections, timeoutMs } = settings;
  const server = await sshServer(settings, timeoutMs).catch((error: unknown) => {
    throw mapSshError(error);
  });
  return new ConnectionPool({ connections, connect: onceLetIn((signal) => connect(server, signal)) });
}

type Connect = (signal: AbortSignal) => Promise<SftpConnection>;

/** Makes a refused login transient after a successful one: a starting server refuses users briefly (pam_nologin). */
function onceLetIn(connectAnew: Connect): Connect {
  let wasLetIn = false;
  return async (signal) => {
    try {
      const connection = await connectAnew(signal);
      wasLetIn = true;
      return connection;
    } catch (error) {
      if (!wasLetIn || !(error instanceof StorePermissionError)) throw error;
      const { message, context, hint } = error;
      throw new StoreUnavailableError(`${message} (it did before)`, {
        cause: error,
        context,
        retry: "transient",
        ...(hint === undefined ? {} : { hint }),
      });
    }
  };
}
