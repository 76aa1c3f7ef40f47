import type { Leftover, LedgerEntry } from "@ovault/core";
import { ovirtLeftover } from "@ovault/ovirt";
import type { EngineApi } from "@ovault/ovirt";

/** A snapshot cannot go before the transfers that read it, nor a disk before the machine that holds it. */
const ORDER = ["vm", "transfer", "snapshot", "disk"];

/** Looks up what dead runs of this strategy left. */
export async function findLeftovers(
  api: EngineApi,
  entries: readonly LedgerEntry[],
  signal: AbortSignal,
): Promise<readonly Leftover[]> {
  const sorted = entries.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  const found: Leftover[] = [];
  for (const entry of sorted) found.push(await ovirtLeftover(api, entry, signal));
  return found;
}
