import { diskStats } from "@ovault/testkit";
import * as fc from "fast-check";

import type { Disk, DiskRecord } from "@ovault/contract";
import type { EngineDisk } from "../../src/model/engine-disk.ts";
import { snapshotMarker } from "../../src/chain/snapshot-marker.ts";
import { UNKNOWN_PARENT, type BaseSnapshot, type Circumstances, type FrozenDisk } from "../../src/chain/plan-disk.ts";

const BYTES = 1024;
export const DISK_ID = "disk-1";

export function diskOf(parts: Partial<Disk> = {}): Disk {
  return {
    id: DISK_ID,
    alias: "web_Disk1",
    index: 0,
    logicalBytes: BYTES,
    format: "cow",
    sparse: true,
    bootable: false,
    interface: "virtio_scsi",
    attributes: {},
    ...parts,
  };
}

function engineDisk(id: string, imageId: string): EngineDisk {
  return {
    id,
    alias: id,
    description: undefined,
    status: "ok",
    storageType: "image",
    contentType: "data",
    format: "cow",
    sparse: true,
    provisionedBytes: BYTES,
    actualBytes: 0,
    totalBytes: 0,
    imageId,
    shareable: false,
    wipeAfterDelete: false,
    propagateErrors: false,
    backup: undefined,
    backupMode: undefined,
    qcowVersion: undefined,
    storageDomainIds: [],
    diskProfileId: undefined,
    quotaId: undefined,
    snapshotId: undefined,
    lunId: undefined,
    bootable: undefined,
    interface: undefined,
    active: undefined,
    readOnly: undefined,
  };
}

export const frozenDisks: fc.Arbitrary<FrozenDisk> = fc.record({
  disk: fc.constantFrom(BYTES / 2, BYTES, BYTES * 2).map((logicalBytes) => diskOf({ logicalBytes })),
  volumeId: fc.constant("volume-2"),
  volumeFormat: fc.constantFrom("raw", "cow"),
  parentId: fc.constantFrom("volume-1", "volume-x", UNKNOWN_PARENT, undefined),
});

const bases: fc.Arbitrary<BaseSnapshot | undefined> = fc.option(
  fc.record({
    id: fc.constantFrom("snapshot-1", "snapshot-1", "snapshot-x"),
    status: fc.constantFrom("ok", "ok", "locked", "in_preview", undefined),
    disks: fc.constantFrom(
      [engineDisk(DISK_ID, "volume-1")],
      [engineDisk(DISK_ID, "volume-1"), engineDisk("disk-x", "volume-x")],
      [engineDisk("disk-x", "volume-x")],
      [],
    ),
  }),
  { nil: undefined },
);

const records: fc.Arbitrary<DiskRecord | undefined> = fc
  .constantFrom(
    "ours",
    "ours",
    "ours",
    "other vm",
    "other disk",
    "other snapshot",
    "other strategy",
    "none",
    "no record",
  )
  .map((kind) => (kind === "no record" ? undefined : recordOf(kind)));

function recordOf(kind: string): DiskRecord {
  const record = { disk: diskOf(), mode: "full" as const, reason: "", blockMap: null, stats: diskStats(BYTES) };
  if (kind === "none") return record;
  if (kind === "other strategy") return { ...record, base: { kind: "ovirt-checkpoint", checkpointId: "c" } };
  const marker = {
    vmId: kind === "other vm" ? "vm-x" : "vm-1",
    diskId: kind === "other disk" ? "disk-x" : DISK_ID,
    snapshotId: kind === "other snapshot" ? "snapshot-y" : "snapshot-1",
    volumeId: "volume-at-that-time",
  };
  return { ...record, base: snapshotMarker(marker) };
}

export const circumstances: fc.Arbitrary<Circumstances> = fc.record({
  vmId: fc.constant("vm-1"),
  full: fc.boolean(),
  basePoint: fc.constantFrom("point-1", undefined),
  record: records,
  base: bases,
  headerTells: fc.boolean(),
});
