import { type ObjectStore, type VirtualMachine, processIdentity } from "@ovault/contract";
import type { Protection } from "../format/protection.ts";
import { acquireLease, type Lease } from "../leases/lease.ts";
import { machineLease } from "../leases/machine-lease.ts";
import { nameOfCopy } from "./copy-name.ts";
import type { BeginPointOptions } from "./point-writer.ts";
import type { RecoveryPoints } from "./recovery-points.ts";

/** Where the manifests and leases of a store lie. */
export interface ManifestPlace {
  readonly store: ObjectStore;
  readonly protection: Protection;
  readonly points: RecoveryPoints;
}

export interface ClaimedPoint {
  /** The lease on the machine. */
  readonly lease: Lease;
  readonly id: string;
}

const LEASE_TTL_MS = 120_000;

/**
 * Acquires the lease on a machine and chooses the id of its next point. The lease names the point, so that a run that
 * takes over from a silent one can void it.
 */
export async function claimPoint(
  { store, protection, points }: ManifestPlace,
  vm: VirtualMachine,
  { runId, process = processIdentity(), copyOf, ifBusy, onWait, onDoubt, clock, signal }: BeginPointOptions,
): Promise<ClaimedPoint> {
  let id = "";
  const lease = await acquireLease(store, {
    ...machineLease(protection, vm),
    holder: { runId, ...process },
    ttlMs: LEASE_TTL_MS,
    ifBusy,
    // Not before the lease is free: the id must be later than that of the point its last holder sealed.
    seals: async (claiming) => {
      id = await (copyOf ? nameOfCopy(points, copyOf, claiming) : points.nextId(vm, clock.now(), claiming));
      return [points.keyOf({ vm, id })];
    },
    onWait,
    onDoubt,
    signal,
    clock,
  });
  return { lease, id };
}
