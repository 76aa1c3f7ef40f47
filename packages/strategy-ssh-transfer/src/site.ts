import type { BusyHosts } from "./hosts/busy-hosts.ts";
import type { Credentials } from "./hosts/credentials.ts";
import type { SshTransferOptions } from "./options.ts";

/** What reading and filling share. */
export interface SshSite {
  readonly options: SshTransferOptions;
  readonly credentials: Credentials;
  readonly busy: BusyHosts;
}
