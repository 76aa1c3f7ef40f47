import { barePoint } from "@ovault/test-support/repository/bare-point";
import { diskStats } from "@ovault/testkit";
import * as fc from "fast-check";

import type { Disk, DiskRecord, RecoveryPoint, VirtualMachine } from "@ovault/contract";

import { checkpointMarker } from "../../src/base-marker.ts";

export const vm: VirtualMachine = { id: "vm-1", name: "web", manager: "lab", status: "up", disks: [], attributes: {} };

export function diskOf(id: string, parts: Partial<Disk> = {}): Disk {
  return {
    id,
    alias: id,
    index: 0,
    logicalBytes: 1024,
    format: "cow",
    sparse: true,
    bootable: false,
    interface: "virtio_scsi",
    attributes: { backup: "incremental" },
    ...parts,
  };
}

/** Disks of all kinds: with and without change tracking, raw and QCOW2. Ids `disk-0` to `disk-5`. */
export function arbitraryDisks(): fc.Arbitrary<Disk[]> {
  const disk = fc.record({
    n: fc.nat(5),
    format: fc.constantFrom<Disk["format"]>("raw", "cow"),
    backup: fc.constantFrom("incremental", "none"),
  });
  return fc
    .uniqueArray(disk, { selector: ({ n }) => n, minLength: 1 })
    .map((list) => list.map(({ n, format, backup }) => diskOf(`disk-${n}`, { format, attributes: { backup } })));
}

/** Points that hold some of these disks, with markers of this strategy, of others, or none. */
export function arbitraryBase(): fc.Arbitrary<RecoveryPoint | undefined> {
  const record = fc.record({
    n: fc.nat(5),
    marker: fc.constantFrom("cp-1", "cp-2", "other vm", "other strategy", "none"),
  });
  const records = fc.uniqueArray(record, { selector: ({ n }) => n, minLength: 1 });
  return fc.option(
    records.map((list) => pointOf(list.map(({ n, marker }) => recordOf(`disk-${n}`, marker)))),
    {
      nil: undefined,
    },
  );
}

function recordOf(diskId: string, marker: string): DiskRecord {
  const record = { disk: diskOf(diskId), mode: "full" as const, reason: "", blockMap: null, stats: diskStats(1024) };
  if (marker === "none") return record;
  if (marker === "other strategy") return { ...record, base: { snapshot: "s-1" } };
  const vmId = marker === "other vm" ? "vm-2" : vm.id;
  return { ...record, base: checkpointMarker({ vmId, diskId, checkpointId: marker, retiring: [] }) };
}

export function pointOf(disks: readonly DiskRecord[]): RecoveryPoint {
  const takenAt = new Date("2026-01-01T00:00:00Z");
  return barePoint(vm, { id: "point-1", takenAt, strategy: "changed-block-tracking", blockBytes: 1024 * 1024, disks });
}
