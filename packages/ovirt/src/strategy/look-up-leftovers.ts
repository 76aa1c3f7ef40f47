import { inLanes, type Leftover, type LedgerEntry } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { arrived, pending } from "../engine/wait.ts";
import { assertUnused } from "../leftovers/in-use.ts";
import type { LeftoverKind, LeftoverKinds, LeftoverLookUp } from "../leftovers/leftover-kind.ts";
import { unknownLeftover } from "../leftovers/unknown-leftover.ts";
import { diskLeftover, snapshotLeftover, transferLeftover, vmLeftover } from "./ovirt-leftovers.ts";

/** Kinds that several strategies make. */
const SHARED: LeftoverKinds = {
  vm: { lookUp: vmLeftover, before: ["transfer", "disk"] },
  transfer: { lookUp: transferLeftover, before: ["snapshot", "disk"] },
  snapshot: { lookUp: snapshotLeftover, before: ["disk"] },
  disk: { lookUp: diskLeftover, before: ["storage-domain"] },
};

/** Each waits for the engine or for a host: one that does not answer must not hold up the others. */
const LOOKS_AT_ONCE = 16;

/**
 * Looks up what dead runs of a strategy left, in removal order.
 * @param own kinds that only this strategy makes; shared kinds are known here
 */
export async function lookUpLeftovers(
  api: EngineApi,
  entries: readonly LedgerEntry[],
  own: LeftoverKinds,
  signal: AbortSignal,
): Promise<readonly Leftover[]> {
  const kinds = new Map(Object.entries({ ...SHARED, ...own }));
  const order = inOrder(kinds);
  const sorted = entries.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const found = new Map<LedgerEntry, Leftover>();
  const lookUp = async (entry: LedgerEntry, laneSignal: AbortSignal): Promise<void> => {
    found.set(entry, await settled(api, entry, kinds.get(entry.kind)?.lookUp ?? unknownLeftover, laneSignal));
  };
  await inLanes(sorted, LOOKS_AT_ONCE, lookUp, signal);
  const leftovers = sorted.flatMap((entry) => found.get(entry) ?? []);
  const present = new Set(leftovers.filter(({ gone }) => !gone).map(({ entry }) => entry));
  return leftovers.map((leftover) => ({
    ...leftover,
    remove: async (removal) => {
      assertUnused(leftover.entry, [...present], own);
      await leftover.remove(removal);
      present.delete(leftover.entry);
    },
  }));
}

/** Each kind before those that can only go after it; otherwise in the listed order. */
function inOrder(kinds: ReadonlyMap<string, LeftoverKind>): readonly string[] {
  const height = (kind: string): number => {
    const above = (kinds.get(kind)?.before ?? []).map((after) => height(after) + 1);
    return Math.max(0, ...above);
  };
  return [...kinds.keys()].toSorted((a, b) => height(b) - height(a));
}

/**
 * An entry precedes its request, and the engine executes a request even if its sender has died: while the entry is
 * young, something missing may still appear.
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
