import { messageOf } from "@ovault/contract";
import { EngineConflictError, EngineFaultError, type EngineApi, type Host } from "@ovault/ovirt";
import { ExportDomainError } from "@ovault/strategy-export-domain";

import type { ExportSite } from "./export-site.ts";
import { findRegistered } from "./find-registered.ts";
import type { Share } from "./find-share.ts";

/** Succeeds when the request of a run that died has made it meanwhile. What else a host refuses, it refuses for good. */
export async function registerDomain(
  api: EngineApi,
  site: ExportSite,
  wanted: { readonly name: string; readonly share: Share; readonly host: Host },
  signal: AbortSignal,
): Promise<void> {
  const { name, share, host } = wanted;
  const { address, path, mountOptions } = share;
  // A server that must be given its port is one that speaks NFSv3 alone.
  const nfsVersion = mountOptions === undefined ? undefined : "v3";
  try {
    await api.storageDomains.create(
      { type: "export", name, hostId: host.id, address, path, mountOptions, nfsVersion },
      signal,
    );
  } catch (cause) {
    if (!(cause instanceof EngineFaultError) && !(cause instanceof EngineConflictError)) throw cause;
    const { domain } = await findRegistered(api, site, signal);
    if (domain !== undefined) return;
    throw new ExportDomainError(
      `the engine does not take ${address}:${path} as an export domain: ${messageOf(cause)}`,
      {
        cause,
        context: { host: host.name, address, path },
        hint: (field) =>
          `This node could use the export; host ${host.name} must be able to as well. Try on it: mount -t nfs -o ${["vers=3", mountOptions].filter(Boolean).join(",")} ${address}:${path} /mnt. A firewall may be between them, or ${field("address")} may be one that hosts do not reach.`,
      },
    );
  }
}
