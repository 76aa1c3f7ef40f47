import type { BackupRequest } from "@ovault/contract";
import type { Capabilities, EngineApi, TakenSnapshot } from "@ovault/ovirt";

import { findBaseSnapshot } from "./find-snapshots.ts";
import { frozenDisks } from "./frozen-disks.ts";
import { planDisk, type DiskPlan } from "./plan-modes.ts";

export interface Planning extends BackupRequest {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly snapshot: TakenSnapshot;
}

/** How each disk of a snapshot is to be taken. Merges change that: ask anew each time. */
export async function planDisks(planning: Planning, signal: AbortSignal): Promise<readonly DiskPlan[]> {
  const { api, capabilities, snapshot, vm, disks, full } = planning;
  const base = await findBaseSnapshot(api, planning, signal);
  // Only an increment depends on what its layer lies on.
  const tellsParents = capabilities.shallowTransfer && !full && base?.status === "ok";
  const headerTells = !capabilities.shallowTransfer;
  const frozen = { vmId: vm.id, snapshotId: snapshot.id, disks, base, tellsParents };
  const records = new Map(planning.base?.disks.map((record) => [record.disk.id, record]));
  return (await frozenDisks(api, frozen, signal)).map((one) =>
    planDisk(one, {
      vmId: vm.id,
      full,
      basePoint: planning.base?.id,
      record: records.get(one.disk.id),
      base,
      headerTells,
    }),
  );
}
