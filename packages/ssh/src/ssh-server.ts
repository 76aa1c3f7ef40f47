import type { AnyAuthMethod } from "ssh2";

import { loginMethods } from "./authentication.ts";
import { type HostTrust, trustFingerprint, trustKnownHosts, trustRecord } from "./host-trust.ts";
import type { ServerSettings } from "./server-settings.ts";

/** A server with credentials, for any number of connections. */
export interface SshServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly login: readonly AnyAuthMethod[];
  /** Read anew for each connection: a person may have added the server's key meanwhile. */
  readonly trust: () => Promise<HostTrust>;
  /** Maximum silence of the server, in milliseconds. */
  readonly timeoutMs: number;
}

/** Opens no connection yet. @throws SshLoginError when the private key cannot be used */
export async function sshServer(settings: ServerSettings, timeoutMs: number): Promise<SshServer> {
  const { host, port, user, trust, authentication } = settings;
  return {
    host,
    port,
    user,
    login: await loginMethods(user, authentication),
    timeoutMs,
    trust: async () => {
      if ("recorded" in trust) return trustRecord({ host, port }, trust.recorded);
      if ("fingerprint" in trust) return trustFingerprint({ host, port }, trust.fingerprint);
      return await trustKnownHosts({ host, port }, trust.knownHosts);
    },
  };
}
