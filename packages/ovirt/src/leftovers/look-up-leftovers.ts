import type { Leftover, LedgerEntry } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { arrived, pending } from "../engine/wait.ts";
import { ovirtLeftover } from "./ovirt-leftover.ts";

/** Finds out whether what an entry tells of is still there. */
export type LeftoverLookUp = (api: EngineApi, entry: LedgerEntry, signal: AbortSignal) => Promise<Leftover>;

/**
 * What stands in the way of another comes before it: a machine and its disks, a backup or transfer and the snapshot or
 * checkpoint it reads, an attachment and the snapshot it shows.
 */
const ORDER = ["vm", "backup", "transfer", "attachment", "checkpoint", "snapshot", "disk"];

/**
 * Looks up what dead runs of a strategy left, in the order in which it can go.
 * @param own by kind of entry, for what no other strategy makes; the rest is known here
 */
export async function lookUpLeftovers(
  api: EngineApi,
  entries: readonly LedgerEntry[],
  own: ReadonlyMap<string, LeftoverLookUp>,
  signal: AbortSignal,
): Promise<readonly Leftover[]> {
  const sorted = entries.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  const found: Leftover[] = [];
  for (const entry of sorted) found.push(await settled(api, entry, own.get(entry.kind) ?? ovirtLeftover, signal));
  return found;
}

/**
 * Entries are written before the request that they are for, and the engine carries a request out although its sender has died:
 * what is not there may be on its way as long as the entry is young.
 */
async function settled(
  api: EngineApi,
  entry: LedgerEntry,
  lookUp: LeftoverLookUp,
  signal: AbortSignal,
): Promise<Leftover> {
  const age = Math.max(0, Date.now() - Date.parse(entry.recordedAt));
  const settledAt = performance.now() + api.inFlightMs - age;
  return await api.wait(
    `${entry.title} to show, or not`,
    async (pollSignal) => {
      const late = performance.now() >= settledAt;
      const leftover = await lookUp(api, entry, pollSignal);
      return leftover.gone && !late ? pending("not there") : arrived(leftover);
    },
    { deadlineMs: Infinity, signal },
  );
}
