import * as fc from "fast-check";
import { expect, test } from "vitest";

import { hasCode } from "@ovault/contract";
import { repairRepository, spaceReport, verifyRepository } from "@ovault/core";

import { never } from "@ovault/test-support/repository/take-point";
import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

interface Away {
  readonly key: string;
  readonly object: Uint8Array;
}

/** Takes packs of pages out of the store, those at these positions. */
function takePages({ store: { objects } }: BlockSite, which: readonly number[]): Away[] {
  const pages = [...objects].filter(([key, object]) => key.startsWith("packs/") && object[9] === 2);
  const away = pages.filter((_, at) => which.includes(at)).map(([key, object]) => ({ key, object }));
  for (const { key } of away) objects.delete(key);
  return away;
}

const someBlocks = fc.array(fc.nat(9), { minLength: 1, maxLength: 6 });

test("pages that were away for a while heal by coming back, whatever was pruned, forgotten and backed up meanwhile", async () => {
  const runs = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2", "vm-3"), blocks: someBlocks }), {
    minLength: 2,
    maxLength: 5,
  });
  const which = fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 8 });
  const later = fc.array(
    fc.oneof(
      fc.constant("prune" as const),
      fc.constant("repair" as const),
      fc.record({ forget: fc.nat(4) }),
      fc.record({ vm: fc.constantFrom("vm-1", "vm-4"), blocks: someBlocks }),
    ),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(runs, which, later, async (before, pages, steps) => {
      const site = await BlockSite.open();
      for (const run of before) await site.backUp(run);
      const away = takePages(site, pages);
      await repairRepository(await site.repository(), { signal: never });
      for (const [number, step] of [...steps, "prune" as const, "prune" as const].entries()) {
        if (step === "prune") await site.prune({ repack: ALL, clock: hoursLater(number * 2) });
        else if (step === "repair") await repairRepository(await site.repository(), { readData: true, signal: never });
        else if ("forget" in step) {
          const { points } = await (await site.repository()).points.list(never);
          await site.forget(...points.slice(step.forget, step.forget + 1));
        } else await site.backUp(step);
      }
      for (const { key, object } of away) site.store.objects.set(key, object);
      expect(await brokenPoints(site.store)).toEqual([]);
      expect((await verifyRepository(await site.repository(), { signal: never })).damage).toEqual([]);
      await repairRepository(await site.repository(), { readData: true, signal: never });
      // What is dead now goes as ever.
      for (const hours of [40, 42]) await site.prune({ repack: ALL, clock: hoursLater(hours) });
      expect(await wrongs(site.store)).toEqual([]);
      await site.close();
    }),
    { numRuns: 25 },
  );
});

test.each(["says so", "forgets the point"])("what lost pages led to is freed when a person %s", async (how) => {
  const site = await BlockSite.open();
  await site.backUp({ blocks: [1, 2, 3] });
  const lost = await site.backUp({ vm: "vm-2", blocks: [4, 5, 6, 7] });
  expect(takePages(site, [2, 3])).toHaveLength(2);
  await expect(site.prune()).rejects.toSatisfy((error) => hasCode(error, "E_INTEGRITY"));
  await repairRepository(await site.repository(), { signal: never });
  const held = await site.prune();
  expect(held).toMatchObject({ heldByLosses: [lost.id], freedPacks: 0, condemnedPacks: 0 });
  expect(await site.prune({ dryRun: true })).toMatchObject({ heldByLosses: [lost.id], condemnedPacks: 0 });
  const space = await spaceReport(await site.repository(), { signal: never });
  expect(space).toMatchObject({ heldByLosses: [lost.id], deadPacks: { packs: 2 } });
  if (how === "forgets the point") await site.forget(lost);
  const { heldByLosses } = await spaceReport(await site.repository(), { signal: never });
  expect(heldByLosses).toEqual(how === "forgets the point" ? [] : [lost.id]);
  const report = await site.prune({ giveUpLost: how === "says so" });
  expect(report).toMatchObject({ heldByLosses: [], freedPacks: 2 });
  await site.close();
});
