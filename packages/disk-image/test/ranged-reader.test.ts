import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { Extent } from "@ovault/contract";

import { RangedReader } from "../src/index.ts";

const { signal } = new AbortController();

test("the extents of any range are those of the disk, cut to it, and are asked for once", async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(lengths, fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 5 }), async (all, ranges) => {
      const kinds = all.flatMap((length, at) => Array.from({ length }, () => (at % 2 === 0 ? "data" : "zero")));
      let asked = 0;
      const disk = new RangedReader({
        logicalBytes: kinds.length,
        async *extents() {
          asked += 1;
          let offset = 0;
          for (const [at, length] of all.entries()) {
            yield { offset, length, kind: at % 2 === 0 ? "data" : "zero" };
            offset += length;
          }
        },
        readInto: () => Promise.resolve(),
        close: () => Promise.resolve(),
      });
      for (const [start, size] of ranges) {
        const offset = start % kinds.length;
        const length = size % (kinds.length - offset + 1);
        const found: Extent[] = [];
        for await (const extent of disk.extentsOf({ offset, length }, signal)) found.push(extent);
        expect(found.flatMap((extent) => Array.from({ length: extent.length }, () => extent.kind))).toEqual(
          kinds.slice(offset, offset + length),
        );
        expect(found[0]?.offset ?? offset).toBe(offset);
      }
      expect(asked).toBeLessThanOrEqual(1);
    }),
  );
});
