import { messageOf } from "@ovault/contract";
import { arrived, pending, unlessRefused, type EngineApi, type EngineDisk, type StorageDomain } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";
import { findSite } from "./domain-site.ts";
import { isRefusal } from "./refused-share.ts";
import { stateOf, type ShareDomain } from "./share-domain.ts";

const REMOVE_DEADLINE_MS = 30 * 60_000;

export interface DomainRemoval extends Omit<ShareDomain, "version"> {
  /** Disks that leave the engine with the domain. Machines that have them must be down. */
  readonly expendable?: readonly string[];
}

/**
 * Takes a domain away: maintenance, detachment, removal, and the connection that no domain uses any more. Goes on from
 * whatever state it is in; succeeds if it is gone already. The files stay on the share. Where no host reaches the share
 * any more, the engine only forgets the domain.
 *
 * @throws ShareDomainError when other disks lie on it, or with the engine's words, as while a machine runs from it
 */
export async function removeDomain(api: EngineApi, domain: DomainRemoval): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_DEADLINE_MS * 2);
  let last: string | undefined;
  let since = 0;
  let refusal: unknown;
  await api.wait(
    `storage domain ${domain.name} to be removed`,
    async (pollSignal) => {
      const found = await stateOf(api, domain, pollSignal);
      if (found === undefined) return arrived(undefined);
      const { state } = found;
      if (state !== last) [last, since, refusal] = [state, performance.now(), undefined];
      const step = STEPS.get(state);
      if (step === undefined) return pending(state);
      // A conflict may pass: a disk is locked, another request is at work.
      const isLasting = refusal !== undefined && performance.now() - since > api.conflictDeadlineMs;
      if (isLasting && step === deactivate) throw stays(found.domain, refusal);
      await (isLasting ? forget : step)(api, domain, pollSignal).catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        refusal = error;
      });
      return pending(refusal === undefined ? state : messageOf(refusal));
    },
    { deadlineMs: REMOVE_DEADLINE_MS, signal },
  );
  await removeConnections(api, domain, signal);
}

/** Connections to the share that a killed engine, or a failed creation, left without a domain. */
export async function removeConnections(
  api: EngineApi,
  { address, path }: Pick<ShareDomain, "address" | "path">,
  signal: AbortSignal,
): Promise<void> {
  for (const connection of (await unlessRefused(api.storageDomains.connections(signal))) ?? []) {
    if (connection.type !== "nfs" || connection.address !== address || connection.path !== path) continue;
    await unlessRefused(api.storageDomains.removeConnection(connection.id, signal));
  }
}

type Step = (api: EngineApi, domain: DomainRemoval, signal: AbortSignal) => Promise<void>;

const deactivate: Step = async (api, domain, signal) => {
  await assertEmpty(api, domain, signal);
  await api.storageDomains.deactivate(domain.dataCenterId, domain.id, signal);
};

const detach: Step = (api, { dataCenterId, id }, signal) => api.storageDomains.detach(dataCenterId, id, signal);

const remove: Step = async (api, { dataCenterId, id }, signal) => {
  const { host } = await findSite(api, dataCenterId, signal);
  await api.storageDomains.remove(id, { hostId: host.id, format: false }, signal);
};

const forget: Step = (api, { id }, signal) => api.storageDomains.forget(id, signal);

/** What brings a domain nearer to its end, by its state; in others the engine is at work on it. */
const STEPS: ReadonlyMap<string, Step> = new Map([
  ["active", deactivate],
  ["inactive", deactivate],
  ["unknown", deactivate],
  ["maintenance", detach],
  ["unattached", remove],
]);

/** The disks of a domain leave the engine with it. @throws ShareDomainError */
async function assertEmpty(
  api: EngineApi,
  { id, name, expendable = [] }: DomainRemoval,
  signal: AbortSignal,
): Promise<void> {
  const others = await disksOn(api, id, signal);
  const kept = others.filter((disk) => !expendable.includes(disk.id));
  if (kept.length === 0) return;
  throw new ShareDomainError(`disks lie on storage domain ${name}: ${kept.map(({ alias }) => alias).join(", ")}`, {
    context: { storageDomain: id, disks: kept.length },
    hint: "Move them to another storage domain, or remove them, and run this again: it goes on.",
  });
}

/** But what the engine keeps there for itself. */
export async function disksOn(api: EngineApi, domainId: string, signal: AbortSignal): Promise<readonly EngineDisk[]> {
  const all = await api.storageDomains.disks(domainId, signal);
  return all.filter(({ contentType, alias }) => contentType !== "ovf_store" && alias !== "OVF_STORE");
}

function stays({ id, name }: StorageDomain, cause: unknown): ShareDomainError {
  return new ShareDomainError(`storage domain ${name} does not go into maintenance: ${messageOf(cause)}`, {
    cause,
    context: { storageDomain: id },
    hint: "Stop the machines that run from it, or move their disks, and run this again: it goes on.",
  });
}
