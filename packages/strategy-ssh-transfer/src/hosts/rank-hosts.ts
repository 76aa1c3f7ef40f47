import { createHash } from "node:crypto";

import { plural, type Disk, type VirtualMachine } from "@ovault/contract";
import { isBlockStorage, type Host, type StorageDomain } from "@ovault/ovirt";

import type { BusyHosts } from "./busy-hosts.ts";
import type { Credentials } from "./credentials.ts";
import { clusterOf, dataCenterOf, type Landscape } from "./landscape.ts";

/** A host that may serve a disk. */
export interface HostChoice {
  readonly host: Host;
  /** Name of its cluster. */
  readonly cluster: string | undefined;
  readonly domain: StorageDomain;
  readonly dataCenterId: string;
  /** Why this one, for people. */
  readonly reason: string;
}

export interface Ranking {
  readonly landscape: Landscape;
  readonly credentials: Pick<Credentials, "has">;
  readonly busy: Pick<BusyHosts, "count">;
}

/**
 * The hosts that may serve a disk, best first; or, for people, why there is none. The host that runs the machine comes
 * first for block storage, where the volumes are active; otherwise the least busy one. Only the host itself shows
 * whether it sees the storage domain.
 */
export function rankHosts(
  { id: diskId, storageDomain }: Pick<Disk, "id" | "storageDomain">,
  vm: Pick<VirtualMachine, "host">,
  { landscape, credentials, busy }: Ranking,
): readonly HostChoice[] | string {
  const domain = landscape.domains.get(storageDomain?.id ?? "");
  const [dataCenterId] = domain?.dataCenterIds ?? [];
  if (domain === undefined || dataCenterId === undefined)
    return "the engine does not tell which data center its storage is in";
  const up = hostsOf(dataCenterId, { landscape, credentials });
  if (typeof up === "string") return up;

  const isHome = ({ id }: Host): boolean => isBlockStorage(domain) && id === vm.host?.id;
  const worth = (host: Host): readonly (number | string)[] => [
    isHome(host) ? 0 : 1,
    busy.count(host.id),
    host.activeVms ?? 0,
    // Several processes spread their disks over hosts that are equally busy.
    createHash("sha256").update(`${diskId} ${host.id}`).digest("hex"),
  ];
  const whyThis = (host: Host): string => {
    if (isHome(host)) return "the machine runs there, so that its volumes are active";
    return up.length === 1 ? "the only one that is up" : `the least busy of ${plural(up.length, "host")}`;
  };
  return up
    .map((host) => ({ host, worth: worth(host) }))
    .toSorted((a, b) => compareInOrder(a.worth, b.worth))
    .map(({ host }) => ({ host, cluster: clusterOf(host, landscape), domain, dataCenterId, reason: whyThis(host) }));
}

/** The hosts of a data center that are up and that ovault may log in at; or, for people, why there is none. */
export function hostsOf(
  dataCenterId: string,
  { landscape, credentials }: Pick<Ranking, "landscape" | "credentials">,
): readonly Host[] | string {
  const near = landscape.hosts.filter((host) => dataCenterOf(host, landscape) === dataCenterId);
  const known = near.filter((host) => credentials.has(host, clusterOf(host, landscape)));
  if (near.length === 0) return "the engine shows no host of its data center";
  if (known.length === 0) return `no credentials for host ${near.map(({ name }) => name).join(", ")}`;
  const up = known.filter(({ status }) => status === "up");
  return up.length > 0 ? up : `not up: host ${known.map(({ name }) => name).join(", ")}`;
}

function compareInOrder(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? value;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}
