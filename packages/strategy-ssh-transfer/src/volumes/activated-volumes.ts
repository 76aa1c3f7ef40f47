import { messageOf, type JsonObject, type LedgerHandle, type RunLedger } from "@ovault/contract";
import { assertUnused } from "@ovault/ovirt";

import { VolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { HOST_PROCESS, PROCESS_ORDER } from "../serving/host-process.ts";
import { deactivateVolumes } from "./deactivate-volumes.ts";
import { deviceOf, nameOf, type BlockVolume } from "./host-volumes.ts";
import { changeVolumes, listVolumes } from "./logical-volumes.ts";
import type { LogicalVolume } from "./parse-report.ts";
import { refreshStale } from "./refresh-stale.ts";
import { SharedActivations } from "./shared-activations.ts";
import { assertVolumeIds, volumePath, type Volume } from "./volume.ts";

/** Kind of the ledger's entries of volumes that ovault activated on a host. */
export const ACTIVE_VOLUMES = "active-volumes";

const RELEASE_DEADLINE_MS = 120_000;

/** Volumes that can be opened on a host until they are released. */
export interface ActivatedVolumes {
  /** In the order of the volumes. */
  readonly paths: readonly string[];
  /** Deactivates what was activated for it, and nothing else. Never throws; what stays is in the ledger. */
  release(): Promise<void>;
}

export interface ActivationSite {
  readonly dataCenterDirectory: string;
  readonly ledger: RunLedger;
  /** What the ledger says of the machine and the disk, so that the next run of either finds it. */
  readonly detail: JsonObject;
  /** New volumes, to be written: nothing else may have them open. */
  readonly unused?: boolean;
}

/**
 * Makes volumes accessible on a host. Files are. Logical volumes must be active: those that are not are activated, as
 * VDSM does it; that writes nothing to their group. Active ones whose device is smaller than the volume, because the
 * host that manages the storage has extended it since, are refreshed.
 *
 * @throws VolumeError when the host does not see a volume or may not activate it; with nothing activated that could be
 * deactivated
 */
export async function activateVolumes(
  hypervisor: Hypervisor,
  volumes: readonly Volume[],
  site: ActivationSite,
  signal: AbortSignal,
): Promise<ActivatedVolumes> {
  volumes.forEach(assertVolumeIds);
  const paths = volumes.map((one) => (one.onBlock ? deviceOf(one) : volumePath(one, site.dataCenterDirectory)));
  const onBlock = volumes.filter((volume) => volume.onBlock);
  if (onBlock.length === 0) return { paths, release: async () => {} };
  const shared = SharedActivations.of(hypervisor.host.id);
  const release = await shared.run(() => activate(hypervisor, onBlock, { ...site, shared }, signal), signal);
  return { paths, release };
}

type Site = ActivationSite & { readonly shared: SharedActivations };

/** @returns what undoes it */
async function activate(
  hypervisor: Hypervisor,
  volumes: readonly Volume[],
  { ledger, detail, shared, unused = false }: Site,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const { host } = hypervisor;
  const found = await findAll(hypervisor, volumes, signal);
  const busy = unused ? volumes.find((volume) => found.get(nameOf(volume))?.isOpen) : undefined;
  if (busy !== undefined) {
    throw new VolumeError(`something on host ${host.name} has the new volume ${nameOf(busy)} open`, {
      context: { host: host.id, volume: busy.volumeId },
    });
  }
  const inactive = volumes.filter((volume) => found.get(nameOf(volume))?.isActive !== true);
  const ours = volumes.filter((volume) => inactive.includes(volume) || shared.has(volume));
  if (ours.length === 0) {
    await refreshStale(hypervisor, volumes, found, signal);
    return async () => {};
  }
  const handle = await ledger.open({
    kind: ACTIVE_VOLUMES,
    title: `active volumes on host ${host.name}: ${ours.map(({ volumeId }) => volumeId).join(", ")}`,
    detail: { ...detail, hostId: host.id, volumes: ours.map(idsOf) },
  });
  shared.enter(ours);
  const release = (): Promise<void> => {
    const deadline = AbortSignal.timeout(RELEASE_DEADLINE_MS);
    return shared
      .run(() => releaseOurs(hypervisor, ours, { handle, shared, ledger }, deadline), deadline)
      .catch(() => undefined);
  };
  try {
    if (inactive.length > 0) await changeVolumes(hypervisor, "activate", inactive, signal);
    await refreshStale(hypervisor, volumes, found, signal);
    return release;
  } catch (error) {
    // In this turn already.
    await releaseOurs(hypervisor, ours, { handle, shared, ledger }, AbortSignal.timeout(RELEASE_DEADLINE_MS));
    throw error;
  }
}

/** Never throws. */
async function releaseOurs(
  hypervisor: Hypervisor,
  ours: readonly Volume[],
  { handle, shared, ledger }: Pick<Site, "shared" | "ledger"> & { readonly handle: LedgerHandle },
  signal: AbortSignal,
): Promise<void> {
  try {
    const left = shared.leave(ours);
    // A host that does not say that a process of ours has ended is not asked again.
    assertUnused(handle.entry, await ledger.outstanding(), { [HOST_PROCESS]: PROCESS_ORDER });
    const open = await deactivateVolumes(hypervisor, left, signal);
    if (open.length === 0) await handle.close();
    else await handle.amend({ volumes: open.map(idsOf), why: "in use" });
  } catch (error) {
    await handle.amend({ why: messageOf(error) }).catch(() => undefined);
  }
}

/** @throws VolumeError when one is missing */
async function findAll(
  hypervisor: Hypervisor,
  volumes: readonly Volume[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LogicalVolume>> {
  const { host } = hypervisor;
  const found = await listVolumes(hypervisor, volumes, signal);
  const missing = volumes.find((volume) => !found.has(nameOf(volume)));
  if (missing === undefined) return found;
  const { storageDomainId, volumeId } = missing;
  throw new VolumeError(`host ${host.name} finds no volume ${volumeId} in the volume group ${storageDomainId}`, {
    context: { host: host.id, volume: volumeId, storageDomain: storageDomainId },
    hint:
      "Is the storage domain active on this host (`multipath -ll` there), or has the disk been moved? A " +
      "`global_filter` in its lvm.conf that hides multipath devices hides them from ovault too.",
  });
}

function idsOf({ storageDomainId, diskId, volumeId }: BlockVolume): JsonObject {
  return { storageDomainId, diskId, volumeId };
}
