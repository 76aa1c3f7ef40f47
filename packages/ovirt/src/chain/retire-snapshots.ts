import type { LedgerHandle, RunLedger, VirtualMachine } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { assertUnused } from "../leftovers/in-use.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import { removeSnapshot } from "../snapshot/remove-snapshot.ts";

/** A snapshot of an older point that is to be removed and is in the ledger. */
export interface Retiring {
  readonly snapshot: Snapshot;
  readonly handle: LedgerHandle;
}

/** Records in the ledger that these snapshots are to go, before any other record of them disappears. */
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
  readonly ledger: RunLedger;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers: LeftoverKinds;
}

/** Removes them one by one, each merged before the next. Throws at the first failed merge and begins no other. @throws InUseError when a dead run may still read one */
export async function removeRetiring(
  retiring: readonly Retiring[],
  { api, vm, removeDeadlineMs, ledger, leftovers }: Removal,
  signal: AbortSignal,
): Promise<void> {
  for (const { snapshot, handle } of retiring) {
    assertUnused(handle.entry, await ledger.outstanding(), leftovers);
    await removeSnapshot(api, { vmId: vm.id, snapshotId: snapshot.id, deadlineMs: removeDeadlineMs }, signal);
    await handle.close();
  }
}
