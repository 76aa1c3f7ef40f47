import { acquireLease, type Lease, type LeaseOptions } from "../repository/lease.ts";
import type { Repository } from "../repository/repository.ts";
import { runFailure } from "../runs/cancellation.ts";
import { newRunId } from "../runs/run-id.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { processIdentity } from "../util/process-identity.ts";
import { type CopiedPoint, PointCopy, type PointCopyOptions } from "./point-copy.ts";

export interface CopyPointOptions extends Omit<PointCopyOptions, "lease"> {
  readonly ifBusy: "refuse" | "wait";
}

const LEASE_TTL_MS = 120_000;

/**
 * Copies one point. At the destination this is a run like a backup of its virtual machine; at the source it is announced,
 * so that a prune waits for it.
 */
export async function copyPoint(options: CopyPointOptions): Promise<CopiedPoint> {
  const { from, to, point, ifBusy } = options;
  const title = `virtual machine ${point.vm.name}`;
  const run = { holder: { runId: newRunId(), ...processIdentity() }, ttlMs: LEASE_TTL_MS };
  const lease = await acquireLease(to.store, {
    ...run,
    resource: `vm-${to.protection.folderOf(point.vm.id)}`,
    title,
    ifBusy,
    seals: [to.points.keyOf(point)],
    signal: options.signal,
  });
  const signal = AbortSignal.any([options.signal, lease.signal]);
  try {
    await to.announce(lease, signal);
    const reading = await announceReading(from, {
      ...run,
      // One for each pair, so that copies to several destinations do not wait for each other.
      resource: `copy-${to.settings.id}-${from.protection.folderOf(point.vm.id)}`,
      title: `the copy of ${title} to another repository`,
      // Whoever holds the lease at the destination is the only one; what may be held here is of a dead one.
      ifBusy: "wait",
      signal,
    });
    try {
      return await new PointCopy({ ...options, lease, signal }).run();
    } finally {
      await reading?.release();
    }
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    await lease.release();
  }
}

/** Undefined where the source cannot be written to: then nobody can prune it from here either. */
async function announceReading(source: Repository, options: LeaseOptions): Promise<Lease | undefined> {
  try {
    const lease = await acquireLease(source.store, options);
    await source.announce(lease, options.signal);
    return lease;
  } catch (error) {
    if (!hasCode(error, "E_STORE_READ_ONLY") && !hasCode(error, "E_STORE_PERMISSION")) throw error;
    await source.refresh(options.signal);
    return undefined;
  }
}
