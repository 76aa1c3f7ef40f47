import type { Cluster, EngineApi, Host, StorageDomain } from "@ovault/ovirt";

/** Hosts and storage domains of an engine, as far as they decide which host serves which disk. */
export interface Landscape {
  readonly hosts: readonly Host[];
  /** By id. */
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** By id. */
  readonly domains: ReadonlyMap<string, StorageDomain>;
}

/** Three requests, regardless of the number of machines. */
export async function readLandscape(api: EngineApi, signal: AbortSignal): Promise<Landscape> {
  const [hosts, clusters, domains] = await Promise.all([
    api.infrastructure.hosts(signal),
    api.infrastructure.clusters(signal),
    api.infrastructure.storageDomains(signal),
  ]);
  return { hosts, clusters: byId(clusters), domains: byId(domains) };
}

/** Name of a host's cluster. */
export function clusterOf({ clusterId }: Host, { clusters }: Landscape): string | undefined {
  return clusters.get(clusterId ?? "")?.name;
}

/** Id of a host's data center. */
export function dataCenterOf({ clusterId }: Host, { clusters }: Landscape): string | undefined {
  return clusters.get(clusterId ?? "")?.dataCenterId;
}

function byId<T extends { readonly id: string }>(entities: readonly T[]): ReadonlyMap<string, T> {
  return new Map(entities.map((one) => [one.id, one]));
}
