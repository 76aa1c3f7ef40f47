import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Repository, validateExtents } from "@ovault/core";
import { planBlocks } from "@ovault/core/internal/pipeline/plan-blocks";
import { arbitraryBlockBytes, arbitraryExtents, arbitraryPoint, MemoryStore } from "@ovault/testkit";

const { signal } = new AbortController();

test("any point is sealed and read back as it was", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryPoint, async (point) => {
      const repository = await Repository.create(new MemoryStore(), { signal });
      await repository.points.seal(point, signal);
      const { points, damaged } = await repository.points.list(signal);
      expect(damaged).toEqual([]);
      expect(points).toEqual([point]);
    }),
  );
});

test("extents are gapless, and can be cut into blocks of any size", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryExtents(), arbitraryBlockBytes, async (extents, blockBytes) => {
      const logicalBytes = extents.reduce((sum, { length }) => sum + length, 0);
      const source = async function* () {
        yield* extents;
      };
      const passed = await Array.fromAsync(validateExtents(source(), logicalBytes));
      expect(passed).toEqual(extents);
      let blocks = 0;
      for await (const planned of planBlocks(source(), { logicalBytes, blockBytes, baseBlocks: 0 })) {
        blocks += "count" in planned ? planned.count : 1;
      }
      expect(blocks).toBe(Math.ceil(logicalBytes / blockBytes));
    }),
  );
});
