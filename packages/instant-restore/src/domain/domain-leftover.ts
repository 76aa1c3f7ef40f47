import { z } from "zod";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import { goneLeftover, unlessRefused, type EngineApi } from "@ovault/ovirt";

import { removeConnections, removeDomain } from "./remove-domain.ts";
import { findShareDomain } from "./share-domain.ts";

const domainDetail = z.object({
  name: z.string(),
  address: z.string(),
  path: z.string(),
  dataCenterId: z.string(),
  domainId: z.string().optional(),
  /** Disks that go with it. */
  diskIds: z.array(z.string()).default([]),
});

/** A storage domain on a share, found by its id or, where that is not known, by its name and its share. */
export async function domainLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { domainId, diskIds, ...place } = domainDetail.parse(entry.detail);
  const found = await findShareDomain(api, { ...place, id: domainId }, signal);
  if (found !== undefined) {
    return {
      entry,
      gone: false,
      action: `remove ${entry.title} (${found.id}) from the engine`,
      remove: () => removeDomain(api, { ...place, id: found.id, expendable: diskIds }),
    };
  }
  const connections = (await unlessRefused(api.storageDomains.connections(signal))) ?? [];
  const isLeft = connections.some(({ address, path }) => address === place.address && path === place.path);
  if (!isLeft) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `remove the storage connection to ${place.address}:${place.path}`,
    remove: (removal) => removeConnections(api, place, removal),
  };
}
