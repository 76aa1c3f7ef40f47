import { loginMethods } from "./authentication.ts";
import { connect } from "./connect.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { trustFingerprint, trustKnownHosts } from "./host-trust.ts";
import type { SftpSettings } from "./sftp-settings.ts";

/** Connects nowhere yet. @throws StorePermissionError when the private key cannot be used. */
export async function openPool(settings: SftpSettings): Promise<ConnectionPool> {
  const { host, port, user, trust, connections, timeoutMs } = settings;
  const login = await loginMethods(user, settings.authentication);
  const server = {
    host,
    port,
    user,
    login,
    timeoutMs,
    trust: async () =>
      "fingerprint" in trust
        ? trustFingerprint({ host, port }, trust.fingerprint)
        : await trustKnownHosts({ host, port }, trust.knownHosts),
  };
  return new ConnectionPool({ connections, connect: (signal) => connect(server, signal) });
}
