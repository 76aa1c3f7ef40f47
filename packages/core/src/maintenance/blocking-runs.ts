import type { ObjectKey, ObjectStore } from "@ovault/contract";
import type { CondemnedDocument } from "../repository/packs/condemned-packs.ts";
import type { HeldLease } from "../leases/held-leases.ts";
import { isHold } from "../leases/hold-lease.ts";
import { liveLeases, type LiveLeasesOptions } from "../leases/live-leases.ts";
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

/** What uses the repository besides maintenance. */
export interface RunsUnderWay {
  /** Leases of runs that may be about to write packs or points. */
  readonly writers: readonly HeldLease[];
  /** Leases that hold points: their holders only read. */
  readonly holds: readonly HeldLease[];
}

/** Leases whose holders neither write packs or points nor read them. */
const HARMLESS: ReadonlySet<string> = new Set([MAINTENANCE_LEASE.resource, "keys"]);

export async function runsUnderWay(
  store: ObjectStore,
  options: Omit<LiveLeasesOptions, "concerns">,
): Promise<RunsUnderWay> {
  const live = await liveLeases(store, { ...options, concerns: (resource) => !HARMLESS.has(resource) });
  return {
    writers: live.filter(({ resource }) => !isHold(resource)),
    holds: live.filter(({ resource }) => isHold(resource)),
  };
}

/** Keys of the manifests of all held points. */
export function heldKeys({ holds }: Pick<RunsUnderWay, "holds">): ReadonlySet<ObjectKey> {
  return new Set(holds.flatMap(({ claim }) => claim.holds));
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
