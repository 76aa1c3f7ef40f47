import type { BackupRequest } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { hasAnyTag } from "../traces/run-tag.ts";
import { baseSnapshotId, type BaseSnapshot } from "./plan-disk.ts";
import { readSnapshotMarker } from "./snapshot-marker.ts";

/** The snapshot that the last point kept, in its present state; undefined when no disk of the point names one. */
export async function findBaseSnapshot(
  api: EngineApi,
  { base, vm }: BackupRequest,
  signal: AbortSignal,
): Promise<BaseSnapshot | undefined> {
  const id = baseSnapshotId(base?.disks ?? [], vm.id);
  if (id === undefined) return undefined;
  const snapshot = await api.snapshots.find(vm.id, id, signal);
  if (snapshot === undefined) return { id, status: undefined, disks: [] };
  return { id, status: snapshot.status ?? "in transition", disks: await api.vms.snapshotDisks(vm.id, id, signal) };
}

/**
 * Snapshots that the last point kept and that are useless after this one. Others on the virtual machine may belong to
 * another repository's chain. A point comes from a store and is not trusted: a snapshot without the tag of a run is
 * left alone.
 */
export async function olderSnapshots(
  api: EngineApi,
  { base, vm }: BackupRequest,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const markers = (base?.disks ?? []).map(readSnapshotMarker).filter((marker) => marker?.vmId === vm.id);
  const ids = new Set(markers.map((marker) => marker?.snapshotId));
  if (ids.size === 0) return [];
  const snapshots = await api.snapshots.list(vm.id, signal);
  return snapshots.filter(({ id, description }) => ids.has(id) && hasAnyTag(description));
}

/** True when every disk may be incremental, as far as the last point shows: the snapshot it kept exists. */
export function maySuffice({ base, disks, full, vm }: BackupRequest, older: readonly Snapshot[]): boolean {
  const records = new Map(base?.disks.map((record) => [record.disk.id, record]));
  return (
    !full &&
    disks.every(({ id }) => {
      const marker = readSnapshotMarker(records.get(id));
      return marker?.vmId === vm.id && older.some((snapshot) => snapshot.id === marker.snapshotId);
    })
  );
}
