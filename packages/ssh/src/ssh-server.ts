import type { AnyAuthMethod } from "ssh2";

import { loginMethods } from "./authentication.ts";
import { type HostTrust, trustFingerprint, trustKnownHosts } from "./host-trust.ts";
import type { ServerSettings } from "./server-settings.ts";

/** A server, and all it takes to log in there, any number of times. */
export interface SshServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly login: readonly AnyAuthMethod[];
  /** Asked anew for each connection: a person may have made the server known meanwhile. */
  readonly trust: () => Promise<HostTrust>;
  /** How long the server may say nothing, in milliseconds. */
  readonly timeoutMs: number;
}

/** Connects nowhere yet. @throws SshLoginError when the private key cannot be used. */
export async function sshServer(settings: ServerSettings, timeoutMs: number): Promise<SshServer> {
  const { host, port, user, trust, authentication } = settings;
  return {
    host,
    port,
    user,
    login: await loginMethods(user, authentication),
    timeoutMs,
    trust: async () =>
      "fingerprint" in trust
        ? trustFingerprint({ host, port }, trust.fingerprint)
        : await trustKnownHosts({ host, port }, trust.knownHosts),
  };
}
