import { acquireLease } from "../leases/lease.ts";
import type { LeaseHolder } from "../leases/lease-folder.ts";
import { machineLease } from "../leases/machine-lease.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { type Clock, systemClock } from "@ovault/contract";
import { nameOfCopy } from "./copy-name.ts";
import { type CopiedPoint, PointCopy, type PointCopyOptions } from "./point-copy.ts";

export interface CopyPointOptions extends Omit<PointCopyOptions, "lease" | "name"> {
  readonly holder: LeaseHolder;
  readonly ifBusy: "refuse" | "wait";
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly clock?: Clock;
}

/** TTL of a copy's leases. */
export const COPY_LEASE_TTL_MS = 120_000;

/** Copies one point. At the destination a copy is a run, like a backup of its virtual machine. */
export async function copyPoint(options: CopyPointOptions): Promise<CopiedPoint> {
  const { to, point, holder, ifBusy, onDoubt, clock = systemClock } = options;
  let name = point.id;
  const lease = await acquireLease(to.store, {
    ...machineLease(to.protection, point.vm),
    holder,
    ttlMs: COPY_LEASE_TTL_MS,
    ifBusy,
    seals: async (signal) => {
      name = await nameOfCopy(to, point, signal);
      return [to.points.keyOf({ vm: point.vm, id: name })];
    },
    onDoubt,
    clock,
    signal: options.signal,
  });
  const signal = AbortSignal.any([options.signal, lease.signal]);
  try {
    await to.announce(lease, signal);
    return await new PointCopy({ ...options, lease, name, signal }).run();
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    await lease.release();
  }
}
