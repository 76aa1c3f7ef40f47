import { sshServer } from "@ovault/ssh";

import { connect } from "./connect.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { mapSshError } from "./map-ssh-error.ts";
import type { SftpSettings } from "./sftp-settings.ts";

/** Connects nowhere yet. @throws StorePermissionError when the private key cannot be used. */
export async function openPool(settings: SftpSettings): Promise<ConnectionPool> {
  const { connections, timeoutMs } = settings;
  const server = await sshServer(settings, timeoutMs).catch((error: unknown) => {
    throw mapSshError(error);
  });
  return new ConnectionPool({ connections, connect: (signal) => connect(server, signal) });
}
