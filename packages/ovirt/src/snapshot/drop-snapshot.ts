import { messageOf, observe, type RunHooks, type RunLedger, type VirtualMachine } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { assertUnused, nextStep } from "../leftovers/in-use.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import { undo } from "../traces/undo.ts";
import { cleanUpSnapshot } from "./remove-snapshot.ts";
import type { TakenSnapshot } from "./take-snapshot.ts";

export interface SnapshotToDrop {
  readonly vm: VirtualMachine;
  readonly snapshot: TakenSnapshot;
  /** Deadline of the merge. */
  readonly removeDeadlineMs: number;
  readonly hooks: RunHooks;
  readonly ledger: RunLedger;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers: LeftoverKinds;
}

/**
 * Removes a snapshot of ours that no point needs. Never throws: a snapshot that cannot be removed stays in the ledger,
 * with a warning. Resolves to the obstacle, if there was one.
 */
export async function dropSnapshot(
  api: EngineApi,
  { vm, snapshot, removeDeadlineMs, hooks, ledger, leftovers }: SnapshotToDrop,
): Promise<unknown> {
  const which = { vmId: vm.id, snapshotId: snapshot.id, deadlineMs: removeDeadlineMs };
  const obstacle = await undo(snapshot.handle, async () => {
    // Only this run has read it.
    const own = (await ledger.outstanding()).filter(({ runId }) => runId === ledger.runId);
    assertUnused(snapshot.handle.entry, own, leftovers);
    await cleanUpSnapshot(api, which);
  });
  if (obstacle !== undefined) {
    observe(hooks.warning, `the snapshot of this run is still there: ${messageOf(obstacle)}; ${nextStep(obstacle)}`);
  }
  return obstacle;
}
