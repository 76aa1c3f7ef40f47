import type { EngineApi } from "@ovault/ovirt";

import { ProxyError } from "./errors.ts";
import { findProxy, type FindProxy, type ProxyVm } from "./find-proxy.ts";

/** What decides which disks can be attached here. */
export interface Site {
  readonly proxy: ProxyVm | { readonly missing: string };
  /** Ids of all disks attached to the proxy VM, its own and others. */
  readonly disksOfProxy: ReadonlySet<string>;
  /** Data center id by cluster id. */
  readonly dataCenters: ReadonlyMap<string, string | undefined>;
  /** Ids of the storage domains that cannot run virtual machines. */
  readonly backupDomains: ReadonlySet<string>;
}

/** Takes a few requests, regardless of the number of machines. */
export async function readSite(wanted: FindProxy, signal: AbortSignal): Promise<Site> {
  const { api } = wanted;
  const proxy = await findProxy(wanted, signal).catch((error: unknown) => {
    if (error instanceof ProxyError) return { missing: error.message };
    throw error;
  });
  if ("missing" in proxy) {
    return { proxy, disksOfProxy: new Set(), dataCenters: new Map(), backupDomains: new Set() };
  }
  const [clusters, domains, disksOfProxy] = await Promise.all([
    api.infrastructure.clusters(signal),
    api.infrastructure.storageDomains(signal),
    attachedTo(api, proxy, signal),
  ]);
  return {
    proxy,
    disksOfProxy,
    dataCenters: new Map(clusters.map(({ id, dataCenterId }) => [id, dataCenterId])),
    backupDomains: new Set(domains.filter(({ backup }) => backup).map(({ id }) => id)),
  };
}

async function attachedTo(api: EngineApi, { vm }: ProxyVm, signal: AbortSignal): Promise<ReadonlySet<string>> {
  return new Set((await api.vms.diskAttachments(vm.id, false, signal)).map(({ diskId }) => diskId));
}
