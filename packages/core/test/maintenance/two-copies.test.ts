import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";

import { copyPoints, repairRepository, verifyPoints, verifyRepository, verifySample } from "@ovault/core";
import { listed, MemoryStore } from "@ovault/testkit";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { BLOCK_BYTES } from "@ovault/test-support/repository/block-disk";
import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, copyOf, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

import { plain } from "../../src/blocks/codecs/plain.ts";
import { readPackListing } from "../../src/repository/packs/read-pack-listing.ts";
import { toHex } from "../../src/util/hex.ts";

let site: BlockSite;
beforeEach(async () => {
  site = await BlockSite.open();
});
afterEach(() => site.close());

const someBlocks = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 });
const someRuns = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2"), blocks: someBlocks }), {
  minLength: 1,
  maxLength: 5,
});

/** Packs of pages: their keys, and the ids in hex of what is in them. */
async function pagePacks({ store }: BlockSite): Promise<ReadonlyMap<string, readonly string[]>> {
  const { protection } = await reopen(store);
  const packs = new Map<string, readonly string[]>();
  for (const info of await listed(store, "packs/")) {
    const { kind, entries } = await readPackListing(store, protection, info, never);
    if (kind === "pages")
      packs.set(
        info.key,
        Array.from(entries, ({ id }) => toHex(id)),
      );
  }
  return packs;
}

/** In how many packs the page of each point lies that can be seen: disks of a site have one. */
async function copiesOfPages(own: BlockSite): Promise<readonly number[]> {
  const packs = [...(await pagePacks(own)).values()];
  const { points } = await (await own.repository()).points.list(never);
  return points.map(({ disks: [disk] }) => packs.filter((ids) => ids.includes(disk?.blockMap ?? "")).length);
}

test("a page lies in two packs, whatever is taken, forgotten, pruned, repacked and copied", async () => {
  await fc.assert(
    fc.asyncProperty(someRuns, fc.infiniteStream(fc.boolean()), async (runs, chosen) => {
      const own = await BlockSite.open();
      for (const [number, run] of runs.entries()) {
        const point = await own.backUp(run);
        if (chosen.next().value) await own.forget(point);
        if (chosen.next().value) await own.prune({ repack: ALL, clock: hoursLater(number * 2) });
        expect(new Set(await copiesOfPages(own))).toEqual(new Set((await own.visible()).length > 0 ? [2] : []));
      }
      const to = new MemoryStore();
      await smallRepository(to, BLOCK_BYTES, plain);
      const elsewhere = own.at(to);
      const from = await own.repository();
      const { points } = await from.points.list(never);
      await copyPoints({ from, to: await elsewhere.repository(), points, signal: never });
      expect(await copiesOfPages(elsewhere)).toEqual(points.map(() => 2));
      await own.close();
    }),
    { numRuns: 25 },
  );
});

test("a pack of pages that is lost costs no point, is found, and a repair makes its copies anew", async () => {
  await fc.assert(
    fc.asyncProperty(someRuns, fc.nat(), fc.boolean(), async (runs, which, isMissing) => {
      const own = await BlockSite.open();
      for (const run of runs) await own.backUp(run);
      const keys = [...(await pagePacks(own)).keys()];
      const key = keys[which % keys.length] ?? "";
      const pack = own.store.objects.get(key) ?? new Uint8Array();
      if (isMissing) own.store.objects.delete(key);
      else
        own.store.objects.set(
          key,
          pack.map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
        );
      const { points } = await (await own.repository()).points.list(never);
      expect(await brokenPoints(own.store)).toEqual([]);
      for (const look of [
        verifyRepository(await copyOf(own).repository(), { signal: never }),
        verifySample(await copyOf(own).repository(), { share: 1, signal: never }),
      ]) {
        const { damage } = await look;
        expect(damage.map(({ point }) => point)).toEqual([null]);
        expect(damage[0]?.reason).toContain(key);
      }
      const told = await repairRepository(await own.repository(), { readData: true, dryRun: true, signal: never });
      const report = await repairRepository(await own.repository(), { readData: true, signal: never });
      expect(report).toMatchObject({ lost: [], pagesStored: told.pagesStored });
      expect(report.pagesStored).toBeGreaterThan(0);
      const again = await repairRepository(await own.repository(), { readData: true, signal: never });
      expect(again.pagesStored).toBe(0);
      expect((await verifyPoints(await own.repository(), points, { signal: never })).pagesOnce).toBe(0);
      // By now any other one may go.
      const others = [...(await pagePacks(own)).keys()].filter((each) => each !== key);
      for (const other of others) {
        const without = copyOf(own);
        without.store.objects.delete(other);
        expect(await brokenPoints(without.store)).toEqual([]);
      }
      for (const hours of [2, 4]) await own.prune({ repack: ALL, clock: hoursLater(hours) });
      expect(await wrongs(own.store)).toEqual([]);
      expect(await copiesOfPages(own)).toEqual(points.map(() => 2));
      await own.close();
    }),
    { numRuns: 20 },
  );
});

test("checks report pages that an earlier release wrote once as no damage, and a repair stores them again", async () => {
  const point = await site.backUp({ blocks: [1, 2, 3] });
  // As if the second copy had never been: neither the pack nor its listing.
  const [first = ""] = (await pagePacks(site)).keys();
  site.store.objects.delete(first);
  for (const key of site.store.objects.keys()) if (key.startsWith("index/")) site.store.objects.delete(key);
  await site.prune();
  expect(await copiesOfPages(site)).toEqual([1]);
  for (const look of [
    verifyRepository(await site.repository(), { signal: never }),
    verifySample(await site.repository(), { share: 0.01, signal: never }),
    verifyPoints(await site.repository(), [point], { signal: never }),
  ]) {
    expect(await look).toMatchObject({ damage: [], pagesOnce: 1 });
  }
  // An increment that changes nothing builds on it.
  await site.backUp({ blocks: [1, 2, 3] });
  await site.prune({ repack: ALL, clock: hoursLater(2) });
  expect(await copiesOfPages(site)).toEqual([1, 1]);
  expect((await repairRepository(await site.repository(), { signal: never })).pagesStored).toBe(1);
  expect(await copiesOfPages(site)).toEqual([2, 2]);
  expect(await wrongs(site.store)).toEqual([]);
});
