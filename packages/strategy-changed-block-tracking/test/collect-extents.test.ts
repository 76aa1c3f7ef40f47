import * as fc from "fast-check";
import { expect, test } from "vitest";

import { collectZeroExtents, type ImageioExtent } from "@ovault/ovirt";

import { collectDirtyExtents } from "../src/collect-extents.ts";

import type { Extent } from "@ovault/contract";

/** One flag for each unit of the disk, so that the expectation is plain. */
const units = fc.array(fc.record({ dirty: fc.boolean(), zero: fc.boolean() }), { minLength: 1, maxLength: 40 });

async function* extentsOf(flags: readonly { dirty: boolean; zero: boolean }[]): AsyncGenerator<ImageioExtent> {
  for (const [start, { dirty, zero }] of flags.entries()) yield { start, length: 1, dirty, zero };
}

async function* tenClean(): AsyncGenerator<ImageioExtent> {
  yield { start: 0, length: 10, dirty: false, zero: true };
}

function kindsOf(extents: Iterable<Extent>): string[] {
  return [...extents].flatMap(({ length, kind }) => Array.from({ length }, () => kind));
}

test("of an increment, dirty ranges are data or zeros, clean ones unchanged, and growth is data", async () => {
  await fc.assert(
    fc.asyncProperty(units, fc.nat(50), async (flags, baseBytes) => {
      const kinds = kindsOf(await collectDirtyExtents(extentsOf(flags), baseBytes));
      const expected = flags.map(({ dirty, zero }, offset) => {
        if (dirty) return zero ? "zero" : "data";
        return offset < baseBytes ? "unchanged" : "data";
      });
      expect(kinds).toEqual(expected);
    }),
  );
});

test("a clean range across the end of the base is cut there", async () => {
  expect([...(await collectDirtyExtents(tenClean(), 6))]).toEqual([
    { offset: 0, length: 6, kind: "unchanged" },
    { offset: 6, length: 4, kind: "data" },
  ]);
});

test("of a full read, only zeros are not data", async () => {
  await fc.assert(
    fc.asyncProperty(units, async (flags) => {
      const kinds = kindsOf(await collectZeroExtents(extentsOf(flags)));
      expect(kinds).toEqual(flags.map(({ zero }) => (zero ? "zero" : "data")));
    }),
  );
});
