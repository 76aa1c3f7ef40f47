import { z } from "zod";

import type { EngineApi, StorageDomain } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";

/** A data domain on a share, as plain data that can be kept: enough to find it again. */
export const shareDomainSchema = z.object({
  id: z.string(),
  name: z.string(),
  dataCenterId: z.string(),
  /** Of the share. */
  address: z.string(),
  path: z.string(),
  /** Format of its metadata: 3 to 5. */
  version: z.number(),
});

export type ShareDomain = Readonly<z.output<typeof shareDomainSchema>>;

/** A domain whose id may not be known yet. */
export type DomainTrace = Pick<ShareDomain, "name" | "address" | "path"> & { readonly id?: string | undefined };

/** Found by its id; without one by its name, on the same share. Names of domains are unique. */
export async function findShareDomain(
  api: EngineApi,
  { id, name, address, path }: DomainTrace,
  signal: AbortSignal,
): Promise<StorageDomain | undefined> {
  const all = await api.infrastructure.storageDomains(signal);
  if (id !== undefined) return all.find((one) => one.id === id);
  return all.find((one) => one.name === name && one.address === address && one.path === path);
}

/** @throws ShareDomainError when a domain of another place has the name */
export async function refuseTakenName(api: EngineApi, wanted: DomainTrace, signal: AbortSignal): Promise<void> {
  const same = (await api.infrastructure.storageDomains(signal)).find(({ name }) => name === wanted.name);
  if (same === undefined || (same.address === wanted.address && same.path === wanted.path)) return;
  throw new ShareDomainError(`there is a storage domain named ${wanted.name} already`, {
    context: { storageDomain: same.id },
    hint: "Choose another name for the instant restore. Nothing was changed.",
  });
}

/** The state of a domain in its data center; undefined: the engine does not have it. */
export async function stateOf(
  api: EngineApi,
  { id, dataCenterId }: Pick<ShareDomain, "id" | "dataCenterId">,
  signal: AbortSignal,
): Promise<{ readonly domain: StorageDomain; readonly state: string } | undefined> {
  const { infrastructure } = api;
  const attached = (await infrastructure.attachedStorageDomains(dataCenterId, signal)).find((one) => one.id === id);
  if (attached !== undefined) return { domain: attached, state: attached.status ?? "unknown" };
  const domain = (await infrastructure.storageDomains(signal)).find((one) => one.id === id);
  return domain && { domain, state: "unattached" };
}

/** `v5` → 5. @throws ShareDomainError for none */
export function formatVersion({ name, storageFormat }: Pick<StorageDomain, "name" | "storageFormat">): number {
  const digits = /^v([1-5])$/i.exec(storageFormat ?? "")?.[1];
  if (digits !== undefined) return Number(digits);
  throw new ShareDomainError(`the engine does not tell a known format of ${name}`, {
    context: { storageFormat: storageFormat?.slice(0, 100) ?? null },
  });
}
