import { hostsOfDataCenter, storageHostOf, type DataCenter, type EngineApi, type Host } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";

/** Where a share becomes a storage domain. */
export interface DomainSite {
  readonly dataCenter: DataCenter;
  /** Prepares the domain. */
  readonly host: Host;
}

/** @throws ShareDomainError when the data center is not up, or none of its hosts */
export async function findSite(
  api: EngineApi,
  dataCenterId: string | undefined,
  signal: AbortSignal,
): Promise<DomainSite> {
  const dataCenter = (await api.infrastructure.dataCenters(signal)).find(({ id }) => id === dataCenterId);
  if (dataCenter === undefined) throw new ShareDomainError("the cluster belongs to no data center that this user sees");
  if (dataCenter.status !== undefined && dataCenter.status !== "up") {
    throw new ShareDomainError(`data center ${dataCenter.name} is ${dataCenter.status}`, {
      context: { dataCenter: dataCenter.id, status: dataCenter.status },
      hint: "It needs an active storage domain and a host that manages its storage before it takes another domain.",
    });
  }
  const host = storageHostOf(await hostsOfDataCenter(api, dataCenter.id, signal));
  if (host !== undefined) return { dataCenter, host };
  throw new ShareDomainError(`data center ${dataCenter.name} has no host that is up`, {
    context: { dataCenter: dataCenter.id },
    hint: "A host mounts the share when it becomes a storage domain: activate one in the manager.",
  });
}
