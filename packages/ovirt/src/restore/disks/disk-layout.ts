import type { DiskFormat, DiskRecord } from "@ovault/contract";

import { diskAttributes } from "../../model/attributes.ts";
import type { StorageDomain } from "../../model/storage-domain.ts";

/** How a restored disk is stored. */
export interface DiskLayout {
  readonly format: DiskFormat;
  readonly sparse: boolean;
  readonly incremental: boolean;
  /** Initial size in bytes, where the engine's default is too small: QCOW2 on block storage. */
  readonly initialBytes: number | undefined;
  /** The new disk may hold old data: zeros must be written. Otherwise it reads as zeros until written. */
  readonly writeZeros: boolean;
  /** What differs from the point, for people. */
  readonly change: string | undefined;
}

const BLOCK_STORAGE: ReadonlySet<string> = new Set(["iscsi", "fcp"]);
const MIB = 1024 * 1024;
/** On block storage raw disks cannot be thin, and a new volume has an initial size. */
export function isBlockStorage({ storageType }: StorageDomain): boolean {
  return BLOCK_STORAGE.has(storageType ?? "");
}

/** QCOW2's own tables, with a margin; an upload cannot extend the volume. */
const COW_OVERHEAD = 1.1;
const COW_MARGIN_BYTES = 64 * MIB;

/**
 * The layout of a disk on a storage domain: the original one if the domain supports it. Thin stays thin: raw disks
 * cannot be thin on block storage, so there they become QCOW2.
 */
export function layOutDisk(record: DiskRecord, blockBytes: number, domain: StorageDomain): DiskLayout {
  const { disk } = record;
  const onBlock = isBlockStorage(domain);
  const thinRawOnBlock = disk.format === "raw" && disk.sparse && onBlock;
  const format = thinRawOnBlock ? "cow" : disk.format;
  return {
    format,
    sparse: disk.sparse,
    incremental: disk.format === "cow" && diskAttributes(disk).backup === "incremental",
    initialBytes: format === "cow" && onBlock ? initialBytes(record, blockBytes) : undefined,
    writeZeros: format === "raw" && !disk.sparse,
    change: thinRawOnBlock
      ? `disk ${disk.alias} becomes QCOW2: ${domain.name} is block storage, where raw disks cannot be thin`
      : undefined,
  };
}

/**
 * The layout for an engine that takes uploads only as the bytes of a disk's file (before 4.3): the upload is guest
 * data, so the disk must be raw.
 */
export function layOutAsFile(layout: DiskLayout, { disk }: DiskRecord, domain: StorageDomain): DiskLayout {
  if (layout.format === "raw") return layout;
  const sparse = layout.sparse && !isBlockStorage(domain);
  const change = `disk ${disk.alias} becomes raw: this engine cannot fill QCOW2 disks with what the guest sees`;
  return { format: "raw", sparse, incremental: false, initialBytes: undefined, writeZeros: !sparse, change };
}

function initialBytes({ disk, stats }: DiskRecord, blockBytes: number): number {
  const blocks = stats.unchangedBlocks + stats.newBlocks + stats.knownBlocks;
  const data = Math.min(blocks * blockBytes, disk.logicalBytes);
  return Math.ceil((data * COW_OVERHEAD + COW_MARGIN_BYTES) / MIB) * MIB;
}
