import { observe, type LedgerHandle, type RunContext } from "@ovault/contract";
import { arrived, pending, undo, wasRefused, type EngineApi, type StorageDomain } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";
import { bringUp } from "./bring-up.ts";
import type { DomainSite } from "./domain-site.ts";
import { isRefusal, refusedShare } from "./refused-share.ts";
import { removeDomain } from "./remove-domain.ts";
import { findShareDomain, type ShareDomain } from "./share-domain.ts";
import { mountOptionsOf, type Share } from "./share.ts";

export const STORAGE_DOMAIN = "storage-domain";

export interface DomainWish {
  readonly share: Share;
  readonly name: string;
}

/** An active domain. */
export interface MadeDomain {
  readonly domain: ShareDomain;
  /** Undefined: it was there before this run. */
  readonly handle: LedgerHandle | undefined;
}

/**
 * Lets the engine make a data domain on a share, or goes on with the one that it has there, until it is active. Cleans
 * up before it throws, as far as possible. Every host of the data center mounts the share.
 *
 * @throws ShareDomainError with the engine's words, and the command that shows on a host what is wrong
 */
export async function makeDomain(
  api: EngineApi,
  site: DomainSite,
  wish: DomainWish,
  { ledger, signal, hooks }: RunContext,
): Promise<MadeDomain> {
  const { share, name } = wish;
  const { address, path } = share;
  const dataCenterId = site.dataCenter.id;
  const present = await findShareDomain(api, { name, address, path }, signal);
  if (present !== undefined) {
    return { domain: await bringUp(api, site, wish, present, signal), handle: undefined };
  }
  const detail = { name, address, path, dataCenterId };
  const handle = await ledger.open({ kind: STORAGE_DOMAIN, title: `storage domain ${name}`, detail });
  observe(hooks.phase, { phase: "domain", detail: `${name} on ${address}:${path}` });
  const made = await create(api, site, wish, signal).catch(async (error: unknown) => {
    // After a lost answer the domain may still appear: such an entry stays.
    if (error instanceof ShareDomainError || wasRefused(error, signal)) await handle.close();
    throw error;
  });
  try {
    await handle.amend({ domainId: made.id });
    return { domain: await bringUp(api, site, wish, made, signal), handle };
  } catch (error) {
    await undo(handle, () => removeDomain(api, { ...detail, id: made.id }));
    throw error;
  }
}

/** Looks a domain up whose answer was lost, instead of making a second one. */
async function create(
  api: EngineApi,
  { dataCenter, host }: DomainSite,
  wish: DomainWish,
  signal: AbortSignal,
): Promise<StorageDomain> {
  const { share, name } = wish;
  const { address, path } = share;
  const wanted = {
    name,
    type: "data" as const,
    hostId: host.id,
    address,
    path,
    mountOptions: mountOptionsOf(share),
    nfsVersion: "v3" as const,
    storageFormat: dataCenter.storageFormat,
  };
  try {
    return await api.storageDomains.create(wanted, signal);
  } catch (error) {
    if (isRefusal(error)) {
      throw refusedShare(`host ${host.name} does not take ${address}:${path} as a storage domain`, share, error);
    }
    if (wasRefused(error, signal)) throw error;
    return await api.wait(
      `storage domain ${name} to show, or not`,
      async (pollSignal) => {
        const found = await findShareDomain(api, { name, address, path }, pollSignal);
        return found === undefined ? pending("not there") : arrived(found);
      },
      { deadlineMs: api.inFlightMs, signal },
    );
  }
}
