import { ManagerError, type RunLedger } from "@ovault/contract";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { volumePath, type Volume } from "./volume.ts";

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
  readonly detail: { readonly vmId?: string; readonly diskId: string };
}

/** Makes volumes accessible on a host: files are, logical volumes have to be active. */
export async function activateVolumes(
  _hypervisor: Hypervisor,
  volumes: readonly Volume[],
  { dataCenterDirectory }: ActivationSite,
  _signal: AbortSignal,
): Promise<ActivatedVolumes> {
  if (volumes.some(({ onBlock }) => onBlock)) throw new ManagerError("block storage cannot be read over SSH yet");
  return { paths: volumes.map((volume) => volumePath(volume, dataCenterDirectory)), release: async () => {} };
}
