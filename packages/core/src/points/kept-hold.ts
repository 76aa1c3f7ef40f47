import { randomUUID } from "node:crypto";

import {
  NotFoundError,
  type ObjectKey,
  processIdentity,
  type RecoveryPoint,
  StoreUnavailableError,
  systemClock,
  UsageError,
} from "@ovault/contract";
import { holdResource } from "../leases/hold-lease.ts";
import { type HeldClaim, LeaseFolder, LONGEST_TTL_MS } from "../leases/lease-folder.ts";
import { goneError } from "./gone-error.ts";
import type { HoldPlace, HoldPointOptions, PointHold } from "./point-hold.ts";

const TRIES = 10;
const PAUSE_MS = 200;
/** Limit for the release, as for other leases. */
const RELEASE_MS = 30_000;

/**
 * Holds a point beyond the life of this process: the claim says that silence does not end it. Taking it again finds the
 * claim, and makes sure once more that every deletion spares the point: a kill may have come in between.
 */
export async function keepPoint(
  place: HoldPlace,
  point: RecoveryPoint,
  name: string,
  options: HoldPointOptions,
): Promise<PointHold> {
  const folder = new LeaseFolder(place.store, holdResource(name));
  const key = place.keyOf(point);
  const found = await ruling(folder, key, options.signal);
  if (found === undefined) await claim(folder, key, options);
  const assertHeld = async (signal: AbortSignal): Promise<void> => {
    if ((await ruling(folder, key, signal)) === undefined) throw goneError(point);
  };
  try {
    await place.spare(point, options.signal, found !== undefined);
    await assertHeld(options.signal);
  } catch (error) {
    // One that was there before holds on, unless there is nothing left to hold.
    if (found === undefined || error instanceof NotFoundError) await release(folder);
    throw error;
  }
  return { signal: new AbortController().signal, assertHeld, release: () => release(folder) };
}

/** The claim, if it rules. @throws UsageError when it is of another point */
async function ruling(folder: LeaseFolder, key: ObjectKey, signal: AbortSignal): Promise<HeldClaim | undefined> {
  const { generation } = await folder.look(signal);
  const current = generation === 0 ? undefined : await folder.readClaim(generation, signal);
  if (current?.state !== "held" || current.kept !== true) return undefined;
  if (current.holds.includes(key)) return current;
  throw new UsageError("a hold of this name keeps another recovery point", {
    context: { holds: current.holds.join() },
  });
}

async function claim(
  folder: LeaseFolder,
  key: ObjectKey,
  { runId, process = processIdentity(), clock = systemClock, signal }: HoldPointOptions,
): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const now = clock.now();
    const generation = folder.generationAfter(await folder.look(signal));
    await folder.putClaim(
      generation,
      {
        state: "held",
        token: randomUUID(),
        // To releases that do not know kept holds, a process that may be alive.
        holder: { runId, ...process, bootId: null, pidNamespace: null, startTicks: null },
        ttlMs: LONGEST_TTL_MS,
        at: now.toISOString(),
        expiresAt: new Date(now.getTime() + LONGEST_TTL_MS).toISOString(),
        seals: [],
        holds: [key],
        kept: true,
      },
      signal,
    );
    if ((await ruling(folder, key, signal)) !== undefined) return;
    // Another claim of this name came first: a take-over by a release that does not know kept holds.
    await clock.sleep(PAUSE_MS, signal);
  }
  throw new StoreUnavailableError("the claim of a hold does not stay in the destination", { retry: "transient" });
}

async function release(folder: LeaseFolder): Promise<void> {
  // What could not be deleted is deleted by the next release under this name.
  await folder.deleteAll(AbortSignal.timeout(RELEASE_MS)).catch(() => undefined);
}
