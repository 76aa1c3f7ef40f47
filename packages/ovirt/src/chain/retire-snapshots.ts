import type { LedgerHandle, RunLedger, VirtualMachine } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { removeSnapshot } from "../snapshot/remove-snapshot.ts";

/** A snapshot of an older point that is on its way out, and in the ledger. */
export interface Retiring {
  readonly snapshot: Snapshot;
  readonly handle: LedgerHandle;
}

/** Writes down that these snapshots are to go, before anything else forgets them. */
export async function recordRetiring(
  ledger: RunLedger,
  vm: VirtualMachine,
  snapshots: readonly Snapshot[],
): Promise<readonly Retiring[]> {
  const retiring: Retiring[] = [];
  for (const snapshot of snapshots) {
    const detail = { vmId: vm.id, tag: snapshot.description ?? "", snapshotId: snapshot.id };
    const handle = await ledger.open({ kind: "snapshot", title: `old snapshot of ${vm.name}`, detail });
    retiring.push({ snapshot, handle });
  }
  return retiring;
}

export interface Removal {
  readonly api: EngineApi;
  readonly vm: VirtualMachine;
  readonly removeDeadlineMs: number;
}

/** One after the other, each merged before the next. A merge that fails is a reason not to begin another: it throws. */
export async function removeRetiring(
  retiring: readonly Retiring[],
  { api, vm, removeDeadlineMs }: Removal,
  signal: AbortSignal,
): Promise<void> {
  for (const { snapshot, handle } of retiring) {
    await removeSnapshot(api, { vmId: vm.id, snapshotId: snapshot.id, deadlineMs: removeDeadlineMs }, signal);
    await handle.close();
  }
}
