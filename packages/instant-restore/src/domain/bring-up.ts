import { arrived, pending, type EngineApi, type StorageDomain } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";
import type { DomainSite } from "./domain-site.ts";
import type { DomainWish } from "./make-domain.ts";
import { isRefusal, refusedShare } from "./refused-share.ts";
import { formatVersion, stateOf, type ShareDomain } from "./share-domain.ts";

/** Hosts wait for an NFS server that long, several times. */
const ACTIVE_DEADLINE_MS = 10 * 60_000;
/** What a domain falls back to when a host could not attach or activate it. */
const DOWN: ReadonlySet<string> = new Set(["unattached", "maintenance", "inactive"]);

/**
 * Attaches and activates a domain, as far as it is not, and waits until it is active. Asks for each step once.
 *
 * @throws ShareDomainError when the domain is newer than the data center, or the engine gives up; DeadlineError
 */
export async function bringUp(
  api: EngineApi,
  { dataCenter }: DomainSite,
  { share, name }: DomainWish,
  made: StorageDomain,
  signal: AbortSignal,
): Promise<ShareDomain> {
  refuseNewer(made, dataCenter);
  const { id } = made;
  const steps = new Map<string, () => Promise<unknown>>([
    ["unattached", () => api.storageDomains.attach(dataCenter.id, id, signal)],
    ["maintenance", () => api.storageDomains.activate(dataCenter.id, id, signal)],
  ]);
  let last: string | undefined;
  let since = performance.now();
  const active = await api.wait(
    `storage domain ${name} to be active`,
    async (pollSignal) => {
      const found = await stateOf(api, { id, dataCenterId: dataCenter.id }, pollSignal);
      if (found === undefined) throw new ShareDomainError(`storage domain ${name} is gone from the engine`);
      const { domain, state } = found;
      if (state === "active") return arrived(domain);
      if (state !== last) [last, since] = [state, performance.now()];
      const step = steps.get(state);
      steps.delete(state);
      if (step !== undefined) {
        await step().catch((error: unknown) => {
          if (!isRefusal(error)) throw error;
          throw refusedShare(`the engine does not activate storage domain ${name}, which is ${state}`, share, error);
        });
      } else if (DOWN.has(state) && performance.now() - since > api.conflictDeadlineMs) {
        throw refusedShare(`storage domain ${name} does not become active: it stays ${state}`, share);
      }
      return pending(state);
    },
    { deadlineMs: ACTIVE_DEADLINE_MS, signal },
  );
  const { address, path } = share;
  return { id, name, dataCenterId: dataCenter.id, address, path, version: formatVersion(active) };
}

/** A share may hold a domain already, of any format. @throws ShareDomainError */
function refuseNewer(domain: StorageDomain, { name, storageFormat }: DomainSite["dataCenter"]): void {
  if (storageFormat === undefined) return;
  const [is, fits] = [formatVersion(domain), formatVersion({ name, storageFormat })];
  if (is <= fits) return;
  throw new ShareDomainError(
    `storage domain ${domain.name} has format V${is}; data center ${name} takes V${fits} and older`,
    {
      context: { storageDomain: domain.id },
      hint: "Use an empty share, or raise the data center's compatibility level.",
    },
  );
}
