import { messageOf, type Leftover, type LedgerEntry } from "@ovault/contract";
import { goneLeftover, type EngineApi } from "@ovault/ovirt";

import type { Credentials } from "./credentials.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { Hypervisors } from "./hypervisors.ts";
import { readLandscape } from "./landscape.ts";

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
}

/** Logs in at a host to look a leftover up. One on a host that the engine does not have any more counts as gone. */
export async function leftoverOnHost(
  entry: LedgerEntry,
  { hostId, remedy, find, remove }: OnHost,
  { api, credentials }: LookUpSite,
  signal: AbortSignal,
): Promise<Leftover> {
  const landscape = await readLandscape(api, signal);
  if (landscape.hosts.every(({ id }) => id !== hostId)) return goneLeftover(entry);
  const onHost = async <T>(work: (hypervisor: Hypervisor) => Promise<T>, until: AbortSignal): Promise<T> => {
    const hypervisors = new Hypervisors(landscape, credentials);
    try {
      return await work(await hypervisors.open(hostId, until));
    } finally {
      await hypervisors.close();
    }
  };
  const leftover = (what: string): Leftover => ({
    entry,
    gone: false,
    action: `${remedy} ${entry.title}${what}`,
    remove: (removal) => onHost((hypervisor) => remove(hypervisor, removal), removal),
  });
  try {
    const found = await onHost((hypervisor) => find(hypervisor, signal), signal);
    return found.length === 0 ? goneLeftover(entry) : leftover(` (${found.join(", ")})`);
  } catch (error) {
    signal.throwIfAborted();
    // An unreachable host must not hold up the others.
    return leftover(`: ${messageOf(error)}`);
  }
}
