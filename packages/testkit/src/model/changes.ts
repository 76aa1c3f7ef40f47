import * as fc from "fast-check";

import type { Extent, ExtentKind } from "@ovault/core";

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
