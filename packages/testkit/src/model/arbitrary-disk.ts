import * as fc from "fast-check";

import type { Extent } from "@ovault/contract";

import { fillWith } from "./fill-with.ts";
import type { ModelDisk } from "./model-disk.ts";

/** A piece of a disk: data of one seed, or zeros. */
interface Cell {
  readonly length: number;
  /** 0 gives a cell of zeros. */
  readonly seed: number;
  /** Zeros reported as `data`: content detection must find them. */
  readonly shown: boolean;
}

const cell: fc.Arbitrary<Cell> = fc.record({
  length: fc.integer({ min: 1, max: 5000 }),
  seed: fc.integer({ min: 0, max: 3 }),
  shown: fc.boolean(),
});

/** Any size (also none, and odd ones), any sparseness, any splitting into extents, repeating content. */
export function arbitraryDisk(maxCells = 12): fc.Arbitrary<ModelDisk> {
  return fc.array(cell, { maxLength: maxCells }).map((cells) => diskFromCells(cells));
}

function diskFromCells(cells: readonly Cell[]): ModelDisk {
  const bytes = new Uint8Array(cells.reduce((sum, { length }) => sum + length, 0));
  const extents: Extent[] = [];
  let offset = 0;
  for (const { length, seed, shown } of cells) {
    fillWith(bytes.subarray(offset, offset + length), seed);
    extents.push({ offset, length, kind: seed === 0 && !shown ? "zero" : "data" });
    offset += length;
  }
  return { bytes, extents };
}
