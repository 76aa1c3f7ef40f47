import * as fc from "fast-check";

import type { BackupMode, Disk, DiskSource, DiskTarget, Extent, ExtentKind } from "@ovault/core";

/** A disk in memory, cut into cells: each cell is data of one seed, or zeros. */
export interface ModelDisk {
  readonly bytes: Uint8Array;
  /** What change tracking would say, gapless over the disk; `unchanged` where the base has the same bytes. */
  readonly extents: readonly Extent[];
}

export function diskOf(logicalBytes: number, id = "disk-1", index = 0): Disk {
  return {
    id,
    alias: id,
    index,
    logicalBytes,
    format: "cow",
    sparse: true,
    bootable: index === 0,
    interface: "virtio_scsi",
    attributes: {},
  };
}

export interface SourceOptions {
  readonly mode?: BackupMode;
  readonly readsUnchanged?: boolean;
  readonly maxReads?: number;
  readonly onRead?: (offset: number, length: number) => void | Promise<void>;
  readonly id?: string;
}

/** Serves a model disk. Ranges said to be `unchanged` read as poison unless `readsUnchanged`. */
export function sourceOf(disk: ModelDisk, options: SourceOptions = {}): DiskSource {
  const { readsUnchanged = true } = options;
  const readable = Uint8Array.from(disk.bytes);
  if (!readsUnchanged) {
    for (const { offset, length, kind } of disk.extents)
      if (kind === "unchanged") readable.fill(0xee, offset, offset + length);
  }
  return {
    disk: diskOf(disk.bytes.byteLength, options.id),
    mode: options.mode ?? "full",
    reason: "a test",
    maxReads: options.maxReads ?? 8,
    readsUnchanged,
    async *extents() {
      yield* disk.extents;
    },
    async readInto(offset, buffer) {
      await options.onRead?.(offset, buffer.byteLength);
      buffer.set(readable.subarray(offset, offset + buffer.byteLength));
    },
  };
}

export class MemoryTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = 4;
  /** Starts as garbage, so that a range nobody wrote is seen. */
  readonly bytes: Uint8Array;
  flushed = false;

  constructor(diskId: string, logicalBytes: number) {
    this.diskId = diskId;
    this.logicalBytes = logicalBytes;
    this.bytes = new Uint8Array(logicalBytes).fill(0xdd);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    this.bytes.set(data, offset);
  }

  async zero(offset: number, length: number): Promise<void> {
    this.bytes.fill(0, offset, offset + length);
  }

  async flush(): Promise<void> {
    this.flushed = true;
  }
}

interface Cell {
  readonly length: number;
  /** 0 is a cell of zeros. */
  readonly seed: number;
  /** Zeros told as `data`: content detection must find them. */
  readonly shown: boolean;
}

const arbitraryCells = (maxCells: number): fc.Arbitrary<Cell[]> =>
  fc.array(
    fc.record({ length: fc.integer({ min: 1, max: 5000 }), seed: fc.integer({ min: 0, max: 3 }), shown: fc.boolean() }),
    {
      maxLength: maxCells,
    },
  );

/** Any size (also none, and odd ones), any sparseness, any splitting into extents, repeating content. */
export function arbitraryDisk(maxCells = 12): fc.Arbitrary<ModelDisk> {
  return arbitraryCells(maxCells).map((cells) => diskFromCells(cells));
}

function diskFromCells(cells: readonly Cell[]): ModelDisk {
  const bytes = new Uint8Array(cells.reduce((sum, cell) => sum + cell.length, 0));
  const extents: Extent[] = [];
  let offset = 0;
  for (const { length, seed, shown } of cells) {
    fillWith(bytes.subarray(offset, offset + length), seed);
    extents.push({ offset, length, kind: seed === 0 && !shown ? "zero" : "data" });
    offset += length;
  }
  return { bytes, extents };
}

/** Deterministic content; runs of one value, so that blocks repeat and compress. */
function fillWith(bytes: Uint8Array, seed: number): void {
  for (let at = 0; at < bytes.byteLength; at += 1) bytes[at] = seed === 0 ? 0 : (seed * 37 + (at >> 9)) & 0xff;
}

interface Change {
  /** Position as a fraction of the disk, 0 to 1. */
  readonly at: number;
  readonly length: number;
  readonly seed: number;
}

export interface Changes {
  readonly changes: readonly Change[];
  /** Bytes by which the disk grows (with zeros) before. */
  readonly grownBy: number;
}

export const arbitraryChanges: fc.Arbitrary<Changes> = fc.record({
  changes: fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.integer({ min: 1, max: 4000 }),
      seed: fc.integer({ min: 0, max: 250 }),
    }),
    { maxLength: 4 },
  ),
  grownBy: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 9000 })),
});

/** The disk after a guest wrote; extents tell the difference as change tracking with `granularity` would. */
export function applyChanges(disk: ModelDisk, { changes, grownBy }: Changes, granularity = 64): ModelDisk {
  const size = disk.bytes.byteLength + grownBy;
  const bytes = new Uint8Array(size);
  bytes.set(disk.bytes);
  const cells = Math.ceil(size / granularity);
  const kinds: ExtentKind[] = Array.from<ExtentKind>({ length: cells }).fill("unchanged");
  const touch = (start: number, end: number, kind: ExtentKind): void => {
    for (let cell = Math.floor(start / granularity); cell * granularity < end; cell += 1) kinds[cell] = kind;
  };
  if (grownBy > 0) touch(disk.bytes.byteLength, size, "data");
  for (const { at, length, seed } of changes) {
    const start = Math.floor(at * size);
    const end = Math.min(size, start + length);
    if (end === start) continue;
    fillWith(bytes.subarray(start, end), seed);
    touch(start, end, "data");
  }
  const extents = kinds.map((kind, cell): Extent => {
    const offset = cell * granularity;
    const length = Math.min(granularity, size - offset);
    const zero = kind === "data" && bytes.subarray(offset, offset + length).every((byte) => byte === 0);
    return { offset, length, kind: zero ? "zero" : kind };
  });
  return { bytes, extents };
}
