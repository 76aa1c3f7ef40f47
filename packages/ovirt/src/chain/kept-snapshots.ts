import type { NewLedgerEntry, RecoveryPoint } from "@ovault/contract";

import { runTag } from "../traces/run-tag.ts";
import { readSnapshotMarker } from "./snapshot-marker.ts";

/** The snapshots that a point names as the base of an increment. Only those made by its own run are ours. */
export function keptSnapshots({ vm, runId, disks }: RecoveryPoint): readonly NewLedgerEntry[] {
  const markers = disks.map(readSnapshotMarker).filter((marker) => marker?.vmId === vm.id);
  return [...new Set(markers.map((marker) => marker?.snapshotId))].map((snapshotId = "") => ({
    kind: "snapshot",
    title: `old snapshot of ${vm.name}`,
    detail: { vmId: vm.id, tag: runTag(runId), snapshotId },
  }));
}
