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
  const able = hostsOf(dataCenterId, { landscape, credentials });
  if (typeof able === "string") return able;
  const why = whyAmong(dataCenterId, able, { landscape, credentials });

  const isHome = ({ id }: Host): boolean => isBlockStorage(domain) && id === vm.host?.id;
  const worth = (host: Host): readonly (number | string)[] => [
    isHome(host) ? 0 : 1,
    busy.count(host.id),
    host.activeVms ?? 0,
    // Several processes spread their disks over hosts that are equally busy.
    createHash("sha256").update(`${diskId} ${host.id}`).digest("hex"),
  ];
  return able
    .map((host) => ({ host, worth: worth(host) }))
    .toSorted((a, b) => compareInOrder(a.worth, b.worth))
    .map(({ host }) => ({
      host,
      cluster: clusterOf(host, landscape),
      domain,
      dataCenterId,
      reason: isHome(host) ? AT_HOME : why,
    }));
}

const AT_HOME = "the machine runs there, so that its volumes are active";

/** Why the first of the hosts that may serve comes first, for people. */
function whyAmong(
  dataCenterId: string,
  able: readonly Host[],
  { landscape, credentials }: Pick<Ranking, "landscape" | "credentials">,
): string {
  const near = landscape.hosts.filter((host) => dataCenterOf(host, landscape) === dataCenterId);
  if (able.length > 1) {
    const rest = able.length < near.length ? " that are up and have a login" : "";
    return `the least busy of ${plural(able.length, "host")}${rest}`;
  }
  if (near.filter(isUp).length === 1) return "the only one that is up";
  const known = near.filter((host) => credentials.has(host, clusterOf(host, landscape)));
  return known.length === 1 ? "the only one with a login" : "the only one that is up and has a login";
}

function isUp({ status }: Host): boolean {
  return status === "up";
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
  const up = known.filter(isUp);
  return up.length > 0 ? up : `not up: host ${known.map(({ name }) => name).join(", ")}`;
}

function compareInOrder(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? value;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}
