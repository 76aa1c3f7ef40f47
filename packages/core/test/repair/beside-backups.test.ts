import * as fc from "fast-check";
import { expect, test } from "vitest";

import { repairRepository, verifyRepository } from "@ovault/core";
import { applyChanges, arbitraryChanges, arbitraryDisk, MemoryStore, ScheduledStore, sourceOf } from "@ovault/testkit";

import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

test("a repair and a verification beside a backup cost it nothing, in whatever order things happen", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      arbitraryDisk(4),
      arbitraryChanges,
      fc.boolean(),
      async (scheduler, disk, changes, loseIndex) => {
        const store = new MemoryStore();
        const base = await takePoint(await smallRepository(store, 512), [sourceOf(disk)]);
        if (loseIndex) for (const key of store.objects.keys()) if (key.startsWith("index/")) store.objects.delete(key);
        const changed = applyChanges(disk, changes);
        const scheduled = new ScheduledStore(store, scheduler);
        const [point, report, verified] = await scheduler.waitFor(
          Promise.all([
            reopen(scheduled).then((repository) =>
              takePoint(repository, [sourceOf(changed, { mode: "incremental" })], { base }),
            ),
            reopen(scheduled).then((repository) => repairRepository(repository, { readData: true, signal: never })),
            reopen(scheduled).then((repository) => verifyRepository(repository, { signal: never })),
          ]),
        );
        expect(report).toMatchObject({ lost: [], packs: [], places: { known: 0 } });
        expect(verified.damage).toEqual([]);
        const repository = await reopen(store);
        expect(await restoredBytes(repository, base)).toEqual(disk.bytes);
        expect(await restoredBytes(repository, point)).toEqual(changed.bytes);
        const again = await repairRepository(await reopen(store), { readData: true, signal: never });
        expect(again).toMatchObject({ lost: [], packs: [], index: [], places: { known: 0 } });
      },
    ),
    { numRuns: 60 },
  );
});
