import type { BackupMode, BackupRequest, Disk, DiskRecord } from "@ovault/contract";

import { isTracked } from "./assess-disk.ts";
import { readMarker } from "./base-marker.ts";

/** How to read one disk, before the engine has said what it can do. */
export interface DiskPlan {
  readonly disk: Disk;
  readonly incremental: boolean;
  /** The mode used when the disk cannot be incremental. */
  readonly otherwise: Exclude<BackupMode, "incremental">;
  /** Why the disk is incremental, or why not. */
  readonly reason: string;
  /** Size of the disk in the base point, in bytes. */
  readonly baseBytes: number | undefined;
}

export interface ModePlan {
  /** The checkpoint to start from: the one on which all incremental disks agree. */
  readonly checkpointId: string | undefined;
  readonly disks: readonly DiskPlan[];
}

/** Plans from the last sealed point alone. A disk that the base lacks does not affect the others. */
export function planModes({ vm, disks, base, full }: BackupRequest): ModePlan {
  const records = new Map(base?.disks.map((record) => [record.disk.id, record]));
  const usable = full ? [] : disks.filter((disk) => markerOf(disk, vm.id, records.get(disk.id)) !== undefined);
  const [first] = usable;
  const checkpointId = first === undefined ? undefined : readMarker(records.get(first.id))?.checkpointId;

  const planDisk = (disk: Disk): DiskPlan => {
    const record = records.get(disk.id);
    const marker = markerOf(disk, vm.id, record);
    const incremental = checkpointId !== undefined && marker === checkpointId && usable.includes(disk);
    return {
      disk,
      incremental,
      otherwise: full || record === undefined ? "full" : "compared",
      reason: incremental ? `changed since ${base?.id}` : whyNot(disk, { full, hasBase: base !== undefined, record }),
      baseBytes: record?.stats.logicalBytes,
    };
  };
  return { checkpointId, disks: disks.map(planDisk) };
}

/** The mode of a plan after the engine has started the backup. */
export function decideMode(
  plan: DiskPlan,
  engineMode: string | undefined,
  refusal: string | undefined,
): { readonly mode: BackupMode; readonly reason: string } {
  if (!plan.incremental) return { mode: plan.otherwise, reason: plan.reason };
  if (refusal !== undefined) return { mode: plan.otherwise, reason: refusal };
  // Before 4.4.3 the engine does not report it; the dirty extents will show.
  if (engineMode === undefined || engineMode === "incremental") return { mode: "incremental", reason: plan.reason };
  return { mode: plan.otherwise, reason: "the engine has no changes for this disk since the last checkpoint" };
}

function markerOf(disk: Disk, vmId: string, record: DiskRecord | undefined): string | undefined {
  const marker = readMarker(record);
  if (marker === undefined || marker.vmId !== vmId || marker.diskId !== disk.id || !isTracked(disk)) return undefined;
  return marker.checkpointId;
}

interface Circumstances {
  readonly full: boolean;
  readonly hasBase: boolean;
  readonly record: DiskRecord | undefined;
}

function whyNot(disk: Disk, { full, hasBase, record }: Circumstances): string {
  if (full) return "a full backup was asked for";
  if (!hasBase) return "first backup of this virtual machine";
  if (record === undefined) return "the last point does not hold this disk";
  if (disk.format === "raw") return "a raw disk has no change tracking";
  if (!isTracked(disk)) return "incremental backup is not enabled on this disk";
  if (record.base === undefined) return "the last point left no checkpoint for this disk";
  return "the last point's checkpoint cannot be used for this disk";
}
