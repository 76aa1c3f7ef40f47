import type { Host } from "../model/host.ts";
import type { EngineApi } from "./engine-api.ts";

/** The hosts of a data center. */
export async function hostsOfDataCenter(
  { infrastructure }: EngineApi,
  dataCenterId: string,
  signal: AbortSignal,
): Promise<readonly Host[]> {
  const clusters = await infrastructure.clusters(signal);
  const own = new Set(clusters.filter((cluster) => cluster.dataCenterId === dataCenterId).map(({ id }) => id));
  return (await infrastructure.hosts(signal)).filter(({ clusterId }) => clusterId !== undefined && own.has(clusterId));
}

/** One that can mount storage now, the one that manages the storage first. */
export function storageHostOf(hosts: readonly Host[]): Host | undefined {
  const up = hosts.filter(({ status }) => status === "up");
  return up.find(({ spmStatus }) => spmStatus === "spm") ?? up[0];
}
