import { acquireLease } from "../repository/lease.ts";
import type { LeaseHolder } from "../repository/lease-folder.ts";
import { machineLease } from "../repository/machine-lease.ts";
import { runFailure } from "../runs/cancellation.ts";
import { type CopiedPoint, PointCopy, type PointCopyOptions } from "./point-copy.ts";

export interface CopyPointOptions extends Omit<PointCopyOptions, "lease"> {
  readonly holder: LeaseHolder;
  readonly ifBusy: "refuse" | "wait";
}

/** Of the leases of a copy. */
export const COPY_LEASE_TTL_MS = 120_000;

/** Copies one point. At the destination this is a run like a backup of its virtual machine. */
export async function copyPoint(options: CopyPointOptions): Promise<CopiedPoint> {
  const { to, point, holder, ifBusy } = options;
  const lease = await acquireLease(to.store, {
    ...machineLease(to.protection, point.vm),
    holder,
    ttlMs: COPY_LEASE_TTL_MS,
    ifBusy,
    seals: [to.points.keyOf(point)],
    signal: options.signal,
  });
  const signal = AbortSignal.any([options.signal, lease.signal]);
  try {
    await to.announce(lease, signal);
    return await new PointCopy({ ...options, lease, signal }).run();
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    await lease.release();
  }
}
