import type { BackupMode, Disk, DiskRecord } from "@ovault/contract";

import type { EngineDisk } from "../model/engine-disk.ts";
import { readSnapshotMarker } from "./snapshot-marker.ts";

/** A disk as the new snapshot froze it. */
export interface FrozenDisk {
  /** With the size it has in the snapshot. */
  readonly disk: Disk;
  readonly volumeId: string;
  readonly volumeFormat: "raw" | "cow";
  /** The volume right below: undefined when there is none, `unknown` when the engine does not report it. */
  readonly parentId: string | undefined;
}

/** The snapshot that the last point kept, in its present state; merges may have renamed its volumes since. */
export interface BaseSnapshot {
  readonly id: string;
  /** `ok`, `locked`, `in_preview`; undefined: the snapshot is gone. */
  readonly status: string | undefined;
  readonly disks: readonly EngineDisk[];
}

/** How to read one disk. */
export interface DiskPlan extends FrozenDisk {
  /** The layer may hold all changes since this base; undefined: it does not, or that is unknown. */
  readonly since: LayerBase | undefined;
  /** The mode used when the disk cannot be incremental. */
  readonly otherwise: Exclude<BackupMode, "incremental">;
  /** Why the disk is incremental, or why not. */
  readonly reason: string;
}

/** What a layer must lie on to be an increment. */
export interface LayerBase {
  readonly volumeId: string;
  /** Size of the disk in the base point, in bytes. */
  readonly bytes: number;
}

export interface Circumstances {
  readonly vmId: string;
  /** A full backup was requested. */
  readonly full: boolean;
  /** Id of the last sealed point. */
  readonly basePoint: string | undefined;
  readonly record: DiskRecord | undefined;
  /** Undefined: no disk of the last point names one. */
  readonly base: BaseSnapshot | undefined;
  /** The layer arrives as its QCOW2 file (before 4.4.3), whose header names its parent when the engine does not. */
  readonly headerTells: boolean;
  /** Why this reader cannot read increments. */
  readonly unable?: string | undefined;
}

/** The engine was not asked for the parent of the volume, or does not report it. */
export const UNKNOWN_PARENT = "unknown";

/**
 * Plans from the last sealed point and the engine's present state. A disk that cannot be incremental does not affect
 * the others.
 */
export function planDisk(frozen: FrozenDisk, circumstances: Circumstances): DiskPlan {
  const { full, record, base, basePoint } = circumstances;
  const otherwise = full || record === undefined ? "full" : "compared";
  const obstacle = whyNot(frozen, circumstances);
  const volumeId = volumeIn(base, frozen.disk);
  if (obstacle !== undefined || volumeId === undefined || record === undefined) {
    return { ...frozen, since: undefined, otherwise, reason: obstacle ?? "the last point left no base" };
  }
  const since = { volumeId, bytes: record.stats.logicalBytes };
  return { ...frozen, since, otherwise, reason: `changed since ${basePoint}` };
}

/** The snapshot on which the markers of a point agree; the first one if they differ. */
export function baseSnapshotId(records: readonly DiskRecord[], vmId: string): string | undefined {
  return records.map(readSnapshotMarker).find((marker) => marker?.vmId === vmId)?.snapshotId;
}

/** A plan's reason when another snapshot turns out to lie between. */
export const NOT_ON_BASE = "another snapshot lies between this one and that of the last point";

function whyNot(
  frozen: FrozenDisk,
  { vmId, full, basePoint, record, base, headerTells, unable }: Circumstances,
): string | undefined {
  if (full) return "a full backup was asked for";
  if (basePoint === undefined) return "first backup of this virtual machine";
  if (record === undefined) return "the last point does not hold this disk";
  if (unable !== undefined) return `${unable}; compared with ${basePoint}`;
  const marker = readSnapshotMarker(record);
  if (record.base === undefined) return "the last point kept no snapshot of this disk";
  if (marker === undefined) return `${basePoint} was taken by another strategy`;
  const { disk, parentId } = frozen;
  if (marker.vmId !== vmId || marker.diskId !== disk.id || marker.snapshotId !== base?.id) {
    return "the last point's snapshot cannot be used for this disk";
  }
  if (base.status === undefined) return "the snapshot of the last point is gone";
  if (base.status !== "ok") return `the snapshot of the last point is ${base.status}`;
  const volumeId = volumeIn(base, disk);
  if (volumeId === undefined) return "the snapshot of the last point does not hold this disk any more";
  if (disk.logicalBytes < record.stats.logicalBytes) return "the disk is smaller than it was";
  if (parentId === UNKNOWN_PARENT) return headerTells ? undefined : "the engine does not tell what the layer lies on";
  return parentId === volumeId ? undefined : NOT_ON_BASE;
}

function volumeIn(base: BaseSnapshot | undefined, disk: Disk): string | undefined {
  return base?.disks.find(({ id }) => id === disk.id)?.imageId;
}
