import type { LedgerHandle, VirtualMachine } from "@ovault/contract";
import { undo, type EngineApi } from "@ovault/ovirt";

import { endBackup } from "./end-backup.ts";
import { removeCheckpoint } from "./retire-checkpoints.ts";

export interface AbandonedBackup {
  readonly api: EngineApi;
  readonly vm: VirtualMachine;
  readonly backup: { readonly id: string; readonly handle: LedgerHandle };
  readonly endDeadlineMs: number;
}

/**
 * Ends a backup without reading it, and removes its checkpoint, which would only slow the disks down. Never throws:
 * what cannot be ended or removed stays in the ledger.
 */
export async function abandonBackup({ api, vm, backup, endDeadlineMs }: AbandonedBackup): Promise<void> {
  await undo(backup.handle, async () => {
    const { checkpointId } = await endBackup(api, vm.id, backup.id, endDeadlineMs);
    if (checkpointId === undefined) return;
    // Before 4.4.7 the backup is gone by now, and only the ledger still knows its checkpoint.
    await backup.handle.amend({ checkpointId });
    await removeCheckpoint(api, vm.id, checkpointId, AbortSignal.timeout(endDeadlineMs));
  });
}
