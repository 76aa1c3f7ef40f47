import type { Leftover, LedgerEntry } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
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
  for (const entry of sorted) found.push(await (own.get(entry.kind) ?? ovirtLeftover)(api, entry, signal));
  return found;
}
