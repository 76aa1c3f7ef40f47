import * as fc from "fast-check";
import { expect, test } from "vitest";

import { collectLayerExtents } from "../src/layer-extents.ts";

import type { ImageioExtent } from "@ovault/ovirt";

const UNIT = 512;

/** One for each unit of the disk, so that the expectation is plain. A hole always reads as zeros. */
const units = fc.array(fc.constantFrom("data", "zero", "hole"), { minLength: 1, maxLength: 40 });

async function* extentsOf(kinds: readonly string[]): AsyncGenerator<ImageioExtent> {
  for (const [index, kind] of kinds.entries()) {
    yield { start: index * UNIT, length: UNIT, zero: kind !== "data", hole: kind === "hole" };
  }
}

test("holes are unchanged as far as the base goes, zeros behind it; what is written is data, or zeros", async () => {
  await fc.assert(
    fc.asyncProperty(units, fc.nat(45 * UNIT), async (kinds, baseBytes) => {
      const list = await collectLayerExtents(extentsOf(kinds), baseBytes);
      let position = 0;
      if (list === undefined) throw new Error("every hole was reported");
      for (const { offset, length, kind } of list) {
        expect(offset).toBe(position);
        position += length;
        for (let at = offset; at < offset + length; at += 1) {
          const written = kinds[Math.floor(at / UNIT)];
          expect(kind).toBe(written === "hole" ? (at < baseBytes ? "unchanged" : "zero") : written);
        }
      }
      expect(position).toBe(kinds.length * UNIT);
    }),
    { numRuns: 30 },
  );
});

test("zeros that the daemon does not distinguish from holes make no increment", async () => {
  await fc.assert(
    fc.asyncProperty(units, fc.nat(), async (kinds, nth) => {
      const silent = nth % kinds.length;
      async function* withOneSilent(): AsyncGenerator<ImageioExtent> {
        for await (const { hole, ...extent } of extentsOf(kinds)) {
          yield extent.start === silent * UNIT || hole === undefined ? extent : { ...extent, hole };
        }
      }
      const list = await collectLayerExtents(withOneSilent(), kinds.length * UNIT);
      expect(list === undefined).toBe(kinds[silent] !== "data");
    }),
  );
});
