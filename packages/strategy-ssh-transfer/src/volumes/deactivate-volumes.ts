import { setTimeout as delay } from "node:timers/promises";

import { VolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { nameOf, usedByVdsm, type BlockVolume } from "./host-volumes.ts";
import { changeVolumes, listVolumes } from "./logical-volumes.ts";

/** Looks at volumes that something has open a moment longer: a process that ends, or udev. */
const LOOKS = 8;
const LOOK_MS = 500;

/**
 * Deactivates volumes that ovault activated, as far as nothing uses them. What VDSM has taken into use meanwhile stays
 * active, and is VDSM's from then on.
 *
 * @returns those that something else has open
 * @throws VolumeError when the host does not deactivate what nothing has open
 */
export async function deactivateVolumes(
  hypervisor: Hypervisor,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<readonly BlockVolume[]> {
  let failure: unknown;
  for (let looks = 1; ; looks += 1) {
    const { idle, open } = await findActive(hypervisor, volumes, signal);
    const isLast = looks > LOOKS;
    if (idle.length === 0 && (open.length === 0 || isLast)) return open;
    if (isLast) throw failure ?? new VolumeError(`volume ${idle.map(nameOf).join(", ")} becomes active again`);
    // One that was opened this moment makes it fail, and is no longer idle at the next look.
    failure = idle.length > 0 ? await failureOf(changeVolumes(hypervisor, "deactivate", idle, signal)) : undefined;
    signal.throwIfAborted();
    if (failure !== undefined || open.length > 0) await delay(LOOK_MS, undefined, { signal });
  }
}

async function failureOf(work: Promise<void>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

export interface ActiveVolumes {
  readonly idle: readonly BlockVolume[];
  readonly open: readonly BlockVolume[];
}

/** Which of the volumes are active, without those that VDSM uses. */
export async function findActive(
  hypervisor: Hypervisor,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<ActiveVolumes> {
  const found = await listVolumes(hypervisor, volumes, signal);
  const active = volumes.filter((volume) => found.get(nameOf(volume))?.isActive);
  const used = await usedByVdsm(hypervisor, active, signal);
  const ours = active.filter((volume) => !used.includes(volume));
  const isOpen = (volume: BlockVolume): boolean => found.get(nameOf(volume))?.isOpen === true;
  return { idle: ours.filter((volume) => !isOpen(volume)), open: ours.filter(isOpen) };
}
