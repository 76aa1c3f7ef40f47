import { lastValueFrom, toArray } from "rxjs";

import { LeaseHeldError, type ObjectStore } from "@ovault/contract";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import { heldLeases, type HeldLease, type LookOptions } from "./held-leases.ts";
import type { LeaseHolder } from "./lease-folder.ts";
import { acquireLease, isLeaseFree } from "./lease.ts";

export interface LiveLeasesOptions extends LookOptions {
  /**
   * The holder that takes over the leases of dead or silent runs, so that these can seal nothing any more. Without it
   * such runs are only skipped, which is not enough to delete anything.
   */
  readonly takeOverAs: LeaseHolder | undefined;
  /** As in `LeaseOptions`, for each run that seems dead. */
  readonly onDoubt?: ((message: string) => void) | undefined;
}

/** Leases checked at once. */
const LANES = 64;
/** Short, for the lease is released at once. */
const TTL_MS = 60_000;

/** The leases whose holders may be alive. */
export async function liveLeases(store: ObjectStore, options: LiveLeasesOptions): Promise<readonly HeldLease[]> {
  const held = await heldLeases(store, options);
  async function* leases(): AsyncGenerator<HeldLease> {
    yield* held;
  }
  // Concurrently, for each run that seems dead is watched for a while.
  const look = async (lease: HeldLease, lane: AbortSignal): Promise<HeldLease | undefined> =>
    (await isOver(store, lease, { ...options, signal: lane })) ? undefined : lease;
  const live = await lastValueFrom(pullInLanes(leases(), LANES, look, options.signal).pipe(toArray()));
  return live.filter((lease) => lease !== undefined);
}

/** False when the run may be alive, so that others must reckon with it. */
async function isOver(
  store: ObjectStore,
  { resource }: HeldLease,
  { takeOverAs: holder, clock, onDoubt, signal }: LiveLeasesOptions,
): Promise<boolean> {
  if (holder === undefined) return await isLeaseFree(store, resource, { clock, signal });
  try {
    const lease = await acquireLease(store, {
      resource,
      holder,
      ttlMs: TTL_MS,
      ifBusy: "refuse",
      clock,
      onDoubt,
      signal,
    });
    await lease.release();
    return true;
  } catch (error) {
    if (error instanceof LeaseHeldError) return false;
    throw error;
  }
}
