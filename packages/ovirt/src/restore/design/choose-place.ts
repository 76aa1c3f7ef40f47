import { UsageError, type RestoreRequest } from "@ovault/contract";

import type { Cluster } from "../../model/cluster.ts";
import type { StorageDomain } from "../../model/storage-domain.ts";

const UNCHECKED = "What depends on the cluster was not checked: compatibility, room on storage, the networks there.";

interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * The requested cluster, by name or id, else the original one.
 *
 * @throws UsageError saying what to pass, and that what depends on the cluster is not checked without one
 */
export function chooseCluster(request: RestoreRequest, clusters: readonly Cluster[]): Cluster {
  const { vm } = request.point;
  const found = find(clusters, request.cluster, vm.cluster);
  if (found !== undefined) return found;
  const missing =
    request.cluster === undefined
      ? `the cluster of the point${vm.cluster === undefined ? "" : ` (${vm.cluster.name})`} does not exist here`
      : `there is no cluster "${request.cluster}"`;
  throw new UsageError(missing, {
    hint: (field) => `Pass ${field("cluster")} with one of: ${names(clusters)}. ${UNCHECKED}`,
  });
}

/**
 * The storage domain for a disk: the requested one, by name or id, else the original one.
 *
 * @param domains those of the cluster's data center, with their status; without a cluster, those of the manager
 * @param where the domains are, for people
 * @throws UsageError saying what to pass
 */
export function chooseStorageDomain(
  wanted: string | undefined,
  disk: { readonly alias: string; readonly storageDomain?: Named },
  domains: readonly StorageDomain[],
  where = "in this data center",
): StorageDomain {
  const usable = domains.filter(isUsable);
  const found = find(usable, wanted, disk.storageDomain);
  if (found !== undefined) return found;
  const blocked = find(domains, wanted, disk.storageDomain);
  const place = wanted ?? disk.storageDomain?.name ?? "the storage domain of the point";
  const missing =
    blocked === undefined
      ? `${place} does not exist ${where}`
      : `${place} cannot take disks now (${blocked.type ?? "unknown type"}, ${blocked.status ?? "no status"})`;
  throw new UsageError(`no place for disk ${disk.alias}: ${missing}`, {
    hint: (field) => `Pass ${field("storageDomain")} with one of: ${names(usable)}.`,
  });
}

function isUsable({ type, status }: StorageDomain): boolean {
  return (type === undefined || type === "data") && (status === undefined || status === "active");
}

/** The requested entity, by name or id; else the original one, by id and then by name. */
function find<T extends Named>(all: readonly T[], wanted: string | undefined, was: Named | undefined): T | undefined {
  if (wanted !== undefined) return all.find(({ id, name }) => id === wanted || name === wanted);
  return all.find(({ id }) => id === was?.id) ?? all.find(({ name }) => name === was?.name);
}

function names(all: readonly Named[]): string {
  return all.length === 0 ? "(none)" : all.map(({ name }) => name).join(", ");
}
