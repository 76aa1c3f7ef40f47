import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Clock } from "@ovault/contract";
import { FaultyStore, HoldingStore, keysOf } from "@ovault/testkit";

import { never } from "@ovault/test-support/repository/take-point";
import { ALL, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

const HOUR_MS = 60 * 60 * 1000;

const someBlocks = fc.array(fc.nat(6), { minLength: 1, maxLength: 6 });

describe("a dry run", () => {
  test("tells what a prune would free and copy, whatever there is to do, and waits for nothing", async () => {
    const runs = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2"), blocks: someBlocks }), {
      minLength: 1,
      maxLength: 5,
    });
    const patient: Clock = { ...hoursLater(2), sleep: () => Promise.reject(new Error("a dry run slept")) };
    await fc.assert(
      fc.asyncProperty(runs, fc.infiniteStream(fc.boolean()), async (taken, chosen) => {
        const own = await BlockSite.open();
        for (const run of taken) {
          const point = await own.backUp(run);
          if (chosen.next().value) await own.forget(point);
          if (chosen.next().value) await own.prune({ graceMs: HOUR_MS });
        }
        const dying = new FaultyStore(own.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
        if (chosen.next().value) await own.backUp({ blocks: [7, 8, 9], vm: "vm-3" }, dying).catch(() => undefined);
        const options = { graceMs: HOUR_MS, repack: ALL };
        const told = await own.prune({ ...options, dryRun: true, clock: patient });
        const done = await own.prune({ ...options, clock: hoursLater(2) });
        // Index and points change meanwhile, and what was copied is there twice.
        const { keptPacks: _, keptBytes: __, graceUntil: ___, ...rest } = told;
        // What one verdict spares may help the next one, which only a real prune sees.
        expect(done).toMatchObject(told.reprievedPacks > 0 ? {} : { ...rest, dryRun: false });
        expect(done.freedBytes).toBeGreaterThanOrEqual(told.freedBytes);
        await own.close();
      }),
      { numRuns: 15 },
    );
  });

  test("knows what the store will not delete", async () => {
    const own = await BlockSite.open(new HoldingStore());
    await own.forget(await own.backUp({ blocks: [1, 2, 3] }));
    await own.prune({ graceMs: HOUR_MS });
    const until = new Date(Date.now() + 9 * HOUR_MS);
    for (const key of await keysOf(own.store, "packs/"))
      await own.store.retention.extend(key, until, { signal: never });
    const told = { freedBytes: 0, lockedUntil: until.toISOString(), condemnedPacks: 0, deletedPoints: 1 };
    expect(await own.prune({ dryRun: true })).toMatchObject(told);
    const done = await own.prune();
    expect(done).toMatchObject(told);
    // Decided by now; nothing but the locks is in the way.
    const { lockedBytes } = done;
    expect(await own.prune({ dryRun: true })).toMatchObject({ lockedBytes, freedBytes: 0 });
    const later = { graceMs: HOUR_MS, clock: hoursLater(10) };
    expect(await own.prune({ ...later, dryRun: true })).toMatchObject({ lockedBytes: 0, freedBytes: lockedBytes });
    await own.close();
  });
});
