import { messageOf, type Leftover, type LedgerEntry } from "@ovault/contract";
import { goneLeftover, type EngineApi } from "@ovault/ovirt";

import type { Credentials } from "./credentials.ts";
import type { HostLooks } from "./host-looks.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { Hypervisors } from "./hypervisors.ts";
import { readLandscape } from "./landscape.ts";
import { logInInTime } from "./log-in-in-time.ts";

/** The engine's word that it has powered a host off: nothing runs there. */
const POWERED_OFF = "down";

/** What a ledger entry names on one host. */
export interface OnHost {
  readonly hostId: string;
  /** For people: "end the". */
  readonly remedy: string;
  /** What of it is there, for people. */
  find(hypervisor: Hypervisor, signal: AbortSignal): Promise<readonly string[]>;
  remove(hypervisor: Hypervisor, signal: AbortSignal): Promise<void>;
}

export interface LookUpSite {
  readonly api: EngineApi;
  readonly credentials: Credentials;
  readonly looks: HostLooks;
}

/**
 * Logs in at a host to look a leftover up. One on a host that the engine has powered off, or does not have any more,
 * counts as gone. While the host cannot be used, it counts as there, and its removal fails.
 */
export async function leftoverOnHost(
  entry: LedgerEntry,
  { hostId, remedy, find, remove }: OnHost,
  { api, credentials, looks }: LookUpSite,
  signal: AbortSignal,
): Promise<Leftover> {
  const landscape = await readLandscape(api, signal);
  const host = landscape.hosts.find(({ id }) => id === hostId);
  if (host === undefined || host.status === POWERED_OFF) return goneLeftover(entry);
  const onHost = async <T>(work: (hypervisor: Hypervisor) => Promise<T>, until: AbortSignal): Promise<T> => {
    const hypervisors = new Hypervisors(landscape, credentials);
    try {
      const notice = { onWait: api.onWait, why: `${entry.title} may be there` };
      return await work(await logInInTime(host, hypervisors, notice, until));
    } finally {
      await hypervisors.close();
    }
  };
  const leftover = (what: string, removal: Leftover["remove"]): Leftover => ({
    entry,
    gone: false,
    action: `${remedy} ${entry.title}${what}`,
    remove: removal,
  });
  try {
    const found = await looks.at(hostId, () => onHost((hypervisor) => find(hypervisor, signal), signal), signal);
    if (found.length === 0) return goneLeftover(entry);
    return leftover(` (${found.join(", ")})`, (removal) =>
      onHost((hypervisor) => remove(hypervisor, removal), removal),
    );
  } catch (error) {
    signal.throwIfAborted();
    // An unreachable host must not hold up the others, nor each removal.
    return leftover(`: ${messageOf(error)}`, () => Promise.reject(error));
  }
}
