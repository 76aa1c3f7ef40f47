import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { MemoryStore } from "@ovault/testkit";
import { brokenPoints, garbage, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

import { FullStore } from "./support/full-store.ts";

const HOUR_MS = 60 * 60 * 1000;
const RESERVE = "ovault-reserve";

let site: BlockSite<FullStore>;
let memory: MemoryStore;
beforeEach(async () => {
  memory = new MemoryStore();
  site = await BlockSite.open(new FullStore(memory));
});
afterEach(() => site.close());

/** Nothing more can be written, but for so many blocks. */
function fill(freeBlocks = 0): void {
  site.store.capacity = site.store.usedBlocks + freeBlocks;
}

describe("on a store with not one byte free", () => {
  test("points are forgotten and their space comes free, whatever else there is to do and however little is free", async () => {
    const blocks = fc.array(fc.nat(9), { minLength: 2, maxLength: 4 });
    const runs = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2"), blocks }), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(runs, fc.nat(20), fc.nat(4), async (points, freeBlocks, which) => {
        memory.objects.clear();
        site.store.capacity = Infinity;
        const own = await BlockSite.open(site.store);
        try {
          // Puts the reserve.
          await own.prune();
          const taken = [];
          for (const run of points) taken.push(await own.backUp(run));
          fill(freeBlocks);
          const gone = taken[which % taken.length];
          if (gone === undefined) return;
          await own.forget(gone);
          const report = await own.prune({ repack: ALL });
          expect(report).toMatchObject({ deletedPoints: 1 });
          expect(await brokenPoints(memory)).toEqual([]);
          expect(await own.visible()).toHaveLength(taken.length - 1);
          // What copies something had no room before.
          await own.prune({ repack: ALL });
          await own.prune({ repack: ALL });
          expect(await garbage(memory)).toEqual([]);
          expect(memory.objects.has(RESERVE)).toBe(true);
        } finally {
          await own.close();
        }
      }),
      { numRuns: 40 },
    );
  });

  test("a prune with a grace time condemns, and the next one deletes", async () => {
    await site.prune();
    const old = await site.backUp({ blocks: [1, 2, 3] });
    await site.backUp({ blocks: [4, 5, 6] });
    fill();
    await site.forget(old);
    const condemned = await site.prune({ graceMs: HOUR_MS });
    expect(condemned).toMatchObject({ freedPacks: 0 });
    expect(condemned.condemnedPacks).toBeGreaterThan(0);
    fill();
    expect(await site.prune({ graceMs: HOUR_MS, clock: hoursLater(2) })).toMatchObject({ deletedPoints: 1 });
    expect(await wrongs(memory)).toEqual([]);
  });

  test("leaves of runs that died there are taken over", async () => {
    await site.prune();
    const old = await site.backUp({ blocks: [1, 2, 3] });
    site.store.capacity = site.store.usedBlocks + 3;
    await expect(site.backUp({ blocks: [4, 5, 6, 7, 8], vm: "vm-2" })).rejects.toMatchObject({ code: "E_STORE_FULL" });
    expect(memory.objects.has(RESERVE)).toBe(true);
    fill();
    await site.forget(old);
    await site.prune({ clock: hoursLater(1) });
    expect(await wrongs(memory)).toEqual([]);
    expect(await site.visible()).toEqual([]);
  });

  test("that has no reserve, the next step is not the one that failed", async () => {
    const old = await site.backUp({ blocks: [1, 2, 3] });
    expect(memory.objects.has(RESERVE)).toBe(false);
    fill();
    for (const freeing of [() => site.forget(old), () => site.prune()]) {
      await expect(freeing()).rejects.toMatchObject({
        code: "E_STORE_FULL",
        hint: expect.stringMatching(/^Make some room by other means first/),
      });
    }
    expect(await site.visible()).toEqual([old.id]);
    await expect(site.backUp({ blocks: [1] })).rejects.toMatchObject({ hint: "Run `ovault forget`." });
  });

  test("the reserve is never used for backups", async () => {
    await site.prune();
    const reserve = memory.objects.get(RESERVE);
    fill(2);
    await expect(site.backUp({ blocks: [1, 2, 3] })).rejects.toMatchObject({ code: "E_STORE_FULL" });
    expect(memory.objects.get(RESERVE)).toBe(reserve);
  });
});
