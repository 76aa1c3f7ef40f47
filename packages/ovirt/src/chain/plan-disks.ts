import type { BackupRequest } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Capabilities } from "../model/capabilities.ts";
import type { TakenSnapshot } from "../snapshot/take-snapshot.ts";
import { findBaseSnapshot } from "./find-snapshots.ts";
import { frozenDisks } from "./frozen-disks.ts";
import { planDisk, type DiskPlan } from "./plan-disk.ts";
import type { VolumeReader } from "./volume-reader.ts";

export interface Planning extends BackupRequest {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly snapshot: TakenSnapshot;
  readonly reader: Pick<VolumeReader, "increments">;
}

/** Plans how to read each disk of a snapshot. Merges change the answer: call again after one. */
export async function planDisks(planning: Planning, signal: AbortSignal): Promise<readonly DiskPlan[]> {
  const { api, capabilities, snapshot, reader, vm, disks, full } = planning;
  const { increments } = reader;
  const unable = typeof increments === "string" ? increments : undefined;
  const telling = typeof increments === "string" ? undefined : increments(capabilities);
  const base = telling && (await findBaseSnapshot(api, planning, signal));
  // Only an increment depends on what its layer lies on.
  const tellsParents = telling?.engineTells === true && !full && base?.status === "ok";
  const headerTells = telling?.headerTells === true;
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
      unable,
    }),
  );
}
