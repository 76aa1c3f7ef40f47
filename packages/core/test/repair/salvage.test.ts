import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { DiskRecord, RecoveryPoint } from "@ovault/contract";
import { type Repository, restoreToTarget } from "@ovault/core";
import { MemoryTarget } from "@ovault/testkit";

import { arbitraryHarms, harm, openUnlessDamaged, threePoints } from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";

async function salvage(repository: Repository, point: RecoveryPoint, record: DiskRecord) {
  const target = new MemoryTarget(record.disk.id, record.stats.logicalBytes);
  const restored = await restoreToTarget({
    point,
    record,
    target,
    store: repository,
    salvage: true,
    taps: [],
    signal: never,
  });
  return { target, restored };
}

describe.each([
  ["in the clear", false],
  ["encrypted", true],
])("a repository %s, whatever of it is harmed,", (_, encrypted) => {
  test("gives back everything but the ranges that are listed, and lists none where nothing is lost", async () => {
    const origin = await threePoints({ encrypted });
    await fc.assert(
      fc.asyncProperty(arbitraryHarms, async (harms) => {
        const model = origin.clone();
        for (const each of harms) harm(model.store, each);
        const restorable = await model.restorable();
        const repository = await openUnlessDamaged(() => model.open());
        const points = (await repository?.points.list(never))?.points ?? [];
        for (const point of points) {
          for (const [number, record] of point.disks.entries()) {
            if (repository === undefined) continue;
            const { target, restored } = await salvage(repository, point, record);
            const expected = Uint8Array.from(model.content.get(point.id)?.[number] ?? []);
            const [{ disk, lostBytes, ranges } = { disk: record.disk.id, lostBytes: 0, ranges: [] }] = restored.lost;
            expect(disk).toBe(record.disk.id);
            for (const { offset, length } of ranges) expected.fill(0, offset, offset + length);
            expect(Buffer.compare(target.bytes, expected)).toBe(0);
            expect(target.flushed).toBe(true);
            expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBe(lostBytes);
            expect(restored.lost.length === 0).toBe(restorable.has(`${point.id}/${number}`));
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});
