import { lastValueFrom, toArray } from "rxjs";

import { type ObjectKey, type ObjectStore, StoreUnavailableError, type Clock } from "@ovault/contract";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import { LeaseFolder, type HeldClaim, type LeaseState } from "./lease-folder.ts";
import { LEASES } from "../format/layout.ts";

/** A lease that was held when it was looked at; its holder may be dead. */
export interface HeldLease {
  readonly resource: string;
  readonly claim: HeldClaim;
  /** Names of the condemned documents that its holder has read. */
  readonly acknowledged: ReadonlySet<string>;
}

export interface LookOptions {
  /** Leases of other resources are not looked at. */
  readonly concerns: (resource: string) => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** An NFS client's listing may be a minute old and may list leases that were renewed or released since. */
const LOOKS = 10;
const PAUSE_MS = 10_000;
/** Looks before a listing counts as old: the lease may only just have changed. */
const QUICK_LOOKS = 3;
/** Beats that may have followed a listing as old as any can be. */
const LATER_BEATS = 6;
const LANES = 8;

/** All leases of these resources that are held now. @throws IntegrityError when one does not name its holder */
export async function heldLeases(store: ObjectStore, options: LookOptions): Promise<readonly HeldLease[]> {
  const { concerns, signal } = options;
  const folders = await keysByResource(store, signal);
  async function* resources(): AsyncGenerator<readonly [string, readonly ObjectKey[]]> {
    for (const [resource, keys] of folders) if (concerns(resource)) yield [resource, keys];
  }
  const look = ([resource, keys]: readonly [string, readonly ObjectKey[]], lane: AbortSignal) =>
    lookAt(store, resource, keys, { ...options, signal: lane });
  const leases = await lastValueFrom(pullInLanes(resources(), LANES, look, signal).pipe(toArray()));
  return leases.filter((lease) => lease !== undefined);
}

async function keysByResource(store: ObjectStore, signal: AbortSignal): Promise<ReadonlyMap<string, ObjectKey[]>> {
  const resources = new Map<string, ObjectKey[]>();
  for await (const { key } of store.list(LEASES, { signal })) {
    const [resource = ""] = key.slice(LEASES.length).split("/");
    resources.set(resource, [...(resources.get(resource) ?? []), key]);
  }
  return resources;
}

/** Undefined when it is free. */
async function lookAt(
  store: ObjectStore,
  resource: string,
  keys: readonly ObjectKey[],
  { clock, signal }: LookOptions,
): Promise<HeldLease | undefined> {
  const folder = new LeaseFolder(store, resource);
  let state = folder.stateOf(keys);
  for (let look = 1; look <= LOOKS; look += 1) {
    if (state.generation === 0) return undefined;
    const claim = await folder.readClaim(state.generation, signal);
    if (claim?.state === "free") return undefined;
    if (claim !== undefined) return { resource, claim, acknowledged: await acknowledgedIn(folder, state, signal) };
    // A newer object has replaced the one that the listing showed.
    if (look > QUICK_LOOKS) await clock.sleep(PAUSE_MS, signal);
    state = await folder.look(signal);
  }
  throw new StoreUnavailableError(`the lease ${resource} changes faster than it can be read`, {
    context: { resource },
    retry: "transient",
    hint: "Is the destination mounted by NFS with long caching of directories? Run it again in a few minutes.",
  });
}

/**
 * Reads the beat that the listing shows, or a later one when that is gone. A silent holder has acknowledged nothing.
 */
async function acknowledgedIn(
  folder: LeaseFolder,
  { generation, beat: shown }: LeaseState,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  for (let beat = Math.max(1, shown); beat <= shown + LATER_BEATS; beat += 1) {
    const found = await folder.readBeat({ generation, beat }, signal);
    if (found !== undefined) return new Set(found.acknowledged);
  }
  return new Set();
}
