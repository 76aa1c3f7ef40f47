import { arrived, pending, removeSnapshot, type EngineApi } from "@ovault/ovirt";

/** What the engine calls the snapshots that it takes of a running machine to move its disks. */
const LIVE_SNAPSHOT = "Auto-generated for Live Storage Migration";
/** A merge copies data. */
const MERGE_DEADLINE_MS = 24 * 3_600_000;

/**
 * Removes the snapshots that live moves left, which is what a failed one does. The engine removes those of successful
 * ones itself, a little later: waits for these. No disk of the machine may be on the move.
 *
 * @throws SnapshotRemovalError
 */
export async function removeLiveSnapshots(api: EngineApi, vmId: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const left = await leftSnapshot(api, vmId, signal);
    if (left === undefined) return;
    await removeSnapshot(api, { vmId, snapshotId: left, deadlineMs: MERGE_DEADLINE_MS }, signal);
  }
}

/** Id of one that the engine does not remove by itself; undefined when there is none any more. */
async function leftSnapshot(api: EngineApi, vmId: string, signal: AbortSignal): Promise<string | undefined> {
  const seen = new Map<string, number>();
  return await api.wait(
    "the snapshots of live moves to be removed",
    async (pollSignal) => {
      const all = await api.snapshots.list(vmId, pollSignal);
      const live = all.filter(({ description }) => description?.startsWith(LIVE_SNAPSHOT) === true);
      if (live.length === 0) return arrived(undefined);
      for (const { id, status } of live) {
        if (status !== "ok") seen.delete(id);
        else if (!seen.has(id)) seen.set(id, performance.now());
        else if (performance.now() - (seen.get(id) ?? 0) > api.inFlightMs) return arrived(id);
      }
      return pending(live[0]?.status);
    },
    { deadlineMs: MERGE_DEADLINE_MS, signal },
  );
}
