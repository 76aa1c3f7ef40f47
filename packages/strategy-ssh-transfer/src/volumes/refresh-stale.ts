import { VolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { deviceSizes, nameOf, type BlockVolume } from "./host-volumes.ts";
import { changeVolumes } from "./logical-volumes.ts";
import type { LogicalVolume } from "./parse-report.ts";

/**
 * Refreshes active volumes whose device is smaller than the volume: the host that manages the storage has extended them.
 *
 * @throws VolumeError when a device stays smaller than its volume, or is not there
 */
export async function refreshStale(
  hypervisor: Hypervisor,
  volumes: readonly BlockVolume[],
  found: ReadonlyMap<string, LogicalVolume>,
  signal: AbortSignal,
): Promise<void> {
  const stale = await findStale(hypervisor, volumes, found, signal);
  if (stale.length === 0) return;
  await changeVolumes(hypervisor, "refresh", stale, signal);
  const [still] = await findStale(hypervisor, stale, found, signal);
  if (still === undefined) return;
  const { host } = hypervisor;
  throw new VolumeError(`the device of volume ${nameOf(still)} on host ${host.name} lacks a part of the volume`, {
    context: { host: host.id, volume: still.volumeId },
  });
}

async function findStale(
  hypervisor: Hypervisor,
  volumes: readonly BlockVolume[],
  found: ReadonlyMap<string, LogicalVolume>,
  signal: AbortSignal,
): Promise<readonly BlockVolume[]> {
  const sizes = await deviceSizes(hypervisor, volumes, signal);
  return volumes.filter((volume, index) => (sizes[index] ?? 0) < (found.get(nameOf(volume))?.bytes ?? 0));
}
