import { lastValueFrom, toArray } from "rxjs";

import { type ObjectStore, type Clock, LeaseHeldError } from "@ovault/contract";
import type { CondemnedDocument } from "../repository/packs/condemned-packs.ts";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import { heldLeases, type HeldLease } from "../leases/held-leases.ts";
import type { LeaseHolder } from "../leases/lease-folder.ts";
import { acquireLease, isLeaseFree } from "../leases/lease.ts";
import { MAINTENANCE_LEASE } from "../leases/maintenance-lease.ts";

/** A run and its lease, for people. */
export interface BlockingRun {
  /** The resource of its lease: `vm-…` for a backup. */
  readonly resource: string;
  readonly runId: string;
  readonly node: string;
  readonly pid: number;
  /** ISO 8601, by that node's clock. */
  readonly since: string;
}

export interface WritersOptions {
  /**
   * The holder that takes over the leases of dead or silent runs, so that these can seal nothing any more. Without it
   * such runs are only skipped, which is not enough to delete anything.
   */
  readonly takeOverAs: LeaseHolder | undefined;
  readonly clock: Clock;
  /** As in `LeaseOptions`, for each run that seems dead. */
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Leases whose holders write neither packs nor points. */
const HARMLESS: ReadonlySet<string> = new Set([MAINTENANCE_LEASE.resource, "keys"]);
/** Leases checked at once. */
const LANES = 64;
/** Short, for the lease is released at once. */
const TTL_MS = 60_000;

/** The leases of all runs that may be about to write packs or points. */
export async function writersUnderWay(store: ObjectStore, options: WritersOptions): Promise<readonly HeldLease[]> {
  const held = (await heldLeases(store, options)).filter(({ resource }) => !HARMLESS.has(resource));
  async function* leases(): AsyncGenerator<HeldLease> {
    yield* held;
  }
  // Concurrently, for each run that seems dead is watched for a while.
  const look = async (lease: HeldLease, lane: AbortSignal): Promise<HeldLease | undefined> =>
    (await isOver(store, lease, { ...options, signal: lane })) ? undefined : lease;
  const writers = await lastValueFrom(pullInLanes(leases(), LANES, look, options.signal).pipe(toArray()));
  return writers.filter((lease) => lease !== undefined);
}

/** On other stores two runs may hold one lease, and a listing may not show all holders. */
export function leasesAreCertain(store: ObjectStore): boolean {
  return store.capabilities.conditionalPut;
}

/** Whether a run may rely on something that a document condemns. */
export function mayRelyOn(lease: HeldLease, { name }: CondemnedDocument, store: ObjectStore): boolean {
  return !leasesAreCertain(store) || !lease.acknowledged.has(name);
}

export function runOf({ resource, claim: { holder, at } }: HeldLease): BlockingRun {
  return { resource, runId: holder.runId, node: holder.node, pid: holder.pid, since: at };
}

/** False when the run may be alive, so that prune must wait for it. */
async function isOver(
  store: ObjectStore,
  { resource }: HeldLease,
  { takeOverAs: holder, clock, onDoubt, signal }: WritersOptions,
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
