import * as fc from "fast-check";

import type { Extent } from "@ovault/contract";

import { fillWith } from "./fill-with.ts";
import type { ModelDisk } from "./model-disk.ts";

export interface Change {
  /** Position as a fraction of the disk, 0 to 1. */
  readonly at: number;
  readonly length: number;
  readonly seed: number;
}

/** What a guest did to its disk between two backups. */
export interface Changes {
  readonly changes: readonly Change[];
  /** Bytes of zeros by which the disk grows before the writes. */
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

/** The disk after the guest's writes; extents show them as change tracking with `granularity` would. */
export function applyChanges(disk: ModelDisk, { changes, grownBy }: Changes, granularity = 64): ModelDisk {
  const size = disk.bytes.byteLength + grownBy;
  const bytes = new Uint8Array(size);
  bytes.set(disk.bytes);
  const touched = new Set<number>();
  const touch = (start: number, end: number): void => {
    for (let cell = Math.floor(start / granularity); cell * granularity < end; cell += 1) touched.add(cell);
  };
  if (grownBy > 0) touch(disk.bytes.byteLength, size);
  for (const { at, length, seed } of changes) {
    const start = Math.floor(at * size);
    const end = Math.min(size, start + length);
    if (end === start) continue;
    fillWith(bytes.subarray(start, end), seed);
    touch(start, end);
  }
  return { bytes, extents: extentsOf(bytes, granularity, (cell) => !touched.has(cell)) };
}

/** A disk with content `now`, and extents as change tracking would report them since `then`. */
export function changesBetween(then: Uint8Array, now: Uint8Array, granularity = 64): ModelDisk {
  const isUnchanged = (cell: number): boolean => {
    const [start, end] = [cell * granularity, Math.min((cell + 1) * granularity, now.byteLength)];
    return end <= then.byteLength && Buffer.compare(then.subarray(start, end), now.subarray(start, end)) === 0;
  };
  return { bytes: now, extents: extentsOf(now, granularity, isUnchanged) };
}

/** One extent per cell. */
function extentsOf(bytes: Uint8Array, granularity: number, isUnchanged: (cell: number) => boolean): Extent[] {
  return Array.from({ length: Math.ceil(bytes.byteLength / granularity) }, (_, cell): Extent => {
    const offset = cell * granularity;
    const length = Math.min(granularity, bytes.byteLength - offset);
    if (isUnchanged(cell)) return { offset, length, kind: "unchanged" };
    const zero = bytes.subarray(offset, offset + length).every((byte) => byte === 0);
    return { offset, length, kind: zero ? "zero" : "data" };
  });
}
