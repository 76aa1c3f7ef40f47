import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { type SpaceReport, spaceReport } from "@ovault/core";
import { FaultyStore, HoldingStore, keysOf, listed } from "@ovault/testkit";

import { never } from "@ovault/test-support/repository/take-point";
import type { BlockRun } from "@ovault/test-support/repository/take-block-point";
import { ALL, copyOf, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

import { GatedStore } from "./support/gated-store.ts";

const HOUR_MS = 60 * 60 * 1000;
const NO_REPACK = { minDeadShare: 1, budgetBytes: 0 };

/** What lies there, in bytes; below a prefix. */
async function bytesIn(store: ObjectStore, prefix = ""): Promise<number> {
  return sum((await listed(store, prefix)).map(({ bytes }) => bytes));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function spaceOf(site: BlockSite<ObjectStore>): Promise<SpaceReport> {
  return await spaceReport(await site.repository(), { signal: never });
}

/** Of all packs that hold nothing needed. */
function freeable({ deadPacks, condemned, deletable }: SpaceReport): number {
  return deadPacks.bytes + condemned.bytes + deletable.bytes;
}

function neededBytes({ dataBytes, metadata }: SpaceReport): number {
  return dataBytes + metadata.pageBytes;
}

type Action = Pick<BlockRun, "vm" | "blocks"> | "forget" | "condemn" | "die";

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ vm: fc.constantFrom("vm-1", "vm-2", "vm-3"), blocks: fc.array(fc.nat(6)) }) },
  { weight: 1, arbitrary: fc.constant("forget" as const) },
  { weight: 1, arbitrary: fc.constant("condemn" as const) },
  { weight: 1, arbitrary: fc.constant("die" as const) },
);
const history = fc.array(action, { minLength: 1, maxLength: 10 });

/** A site after this. */
async function siteAfter(actions: readonly Action[]): Promise<BlockSite> {
  const site = await BlockSite.open();
  for (const next of actions) {
    if (typeof next === "object") await site.backUp(next);
    else if (next === "forget") {
      const [oldest] = (await (await site.repository()).points.list(never)).points;
      if (oldest !== undefined) await site.forget(oldest);
    } else if (next === "condemn") await site.prune({ graceMs: HOUR_MS, repack: ALL });
    else {
      const dying = new FaultyStore(site.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
      await site.backUp({ blocks: [7, 8, 9], vm: "vm-4" }, dying).catch(() => undefined);
    }
  }
  return site;
}

describe("a report on space", () => {
  test("accounts for every byte in the store, once, and changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(50), async (actions, foreign) => {
        const site = await siteAfter(actions);
        site.store.objects.set("notes/of-somebody", new Uint8Array(foreign));
        const before = new Map(site.store.objects);
        const space = await spaceOf(site);
        expect(site.store.objects).toEqual(before);
        expect(space.totalBytes).toBe(await bytesIn(site.store));
        expect(space.foreign).toEqual({ objects: 1, bytes: foreign });
        expect(space.metadata.indexBytes).toBe(await bytesIn(site.store, "index/"));
        expect(space.metadata.manifestBytes).toBe(await bytesIn(site.store, "points/"));
        const { dataBytes, metadata, machines, sharedBytes } = space;
        expect(sum(machines.map(({ ownBytes }) => ownBytes)) + sharedBytes).toBe(dataBytes + metadata.pageBytes);
        // Blocks of a site are not compressed.
        expect(space.plainBytes).toBe(dataBytes);
        await site.close();
      }),
      { numRuns: 25 },
    );
  });

  test("tells what prune frees, and what it frees by copying", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (actions) => {
        const site = await siteAfter(actions);
        const clock = hoursLater(2);
        const before = await spaceReport(await site.repository(), { clock, signal: never });
        expect(before.underWay.packs).toBe(0);
        expect((await site.prune({ repack: NO_REPACK, clock })).freedBytes).toBe(freeable(before));
        const without = await spaceOf(site);
        const { dataBytes, metadata, deadBytes } = before;
        const { pageBytes, packBytes } = metadata;
        expect(without).toMatchObject({ dataBytes, deadBytes, metadata: { pageBytes, packBytes } });
        await site.prune({ repack: ALL, clock: hoursLater(4) });
        expect(await spaceOf(site)).toMatchObject({ dataBytes, deadBytes: 0, metadata: { pageBytes } });
        await site.close();
      }),
      { numRuns: 15 },
    );
  });

  test("tells of each machine what only its points need, and what others need too", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (actions) => {
        const site = await siteAfter(actions);
        const clock = hoursLater(2);
        await site.prune({ repack: ALL, clock });
        const space = await spaceOf(site);
        const all = (await (await site.repository()).points.list(never)).points;
        for (const { vm, points, logicalBytes, ownBytes, sharedBytes } of space.machines) {
          const [own, others] = [
            all.filter((each) => each.vm.id === vm.id),
            all.filter((each) => each.vm.id !== vm.id),
          ];
          expect(own).toHaveLength(points);
          expect(sum(own.flatMap(({ disks }) => disks.map(({ stats }) => stats.logicalBytes)))).toBe(logicalBytes);
          const [without, alone] = [copyOf(site), copyOf(site)];
          await without.forget(...own);
          expect(neededBytes(space) - neededBytes(await spaceOf(without))).toBe(ownBytes);
          await alone.forget(...others);
          expect(neededBytes(await spaceOf(alone))).toBe(ownBytes + sharedBytes);
        }
        await site.close();
      }),
      { numRuns: 10 },
    );
  });

  test("tells until when what is condemned stays, and which run holds it", async () => {
    const site = await BlockSite.open();
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("packs/"));
    const run = site.backUp({ blocks: [4, 5], vm: "vm-2" }, place);
    await stopped.reached;
    await site.prune({ graceMs: HOUR_MS });
    const { condemned } = await spaceOf(site);
    expect(condemned.bytes).toBe(await bytesIn(site.store, "packs/"));
    expect(condemned.heldBy).toMatchObject([{ pid: process.pid }]);
    const hoursLeft = (Date.parse(condemned.graceUntil ?? "") - Date.now()) / HOUR_MS;
    expect(hoursLeft).toBeGreaterThan(23);
    expect(hoursLeft).toBeLessThan(25);
    stopped.release();
    await run;
    expect((await spaceOf(site)).condemned).toMatchObject({ bytes: condemned.bytes, heldBy: [] });
    await site.close();
  });

  test("knows what a run has put that is under way", async () => {
    const site = await BlockSite.open();
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const run = site.backUp({ blocks: [1, 2, 3] }, place);
    await stopped.reached;
    const put = await keysOf(site.store, "packs/");
    const { underWay, totalBytes } = await spaceOf(site);
    expect(underWay).toEqual({ packs: put.length, bytes: await bytesIn(site.store, "packs/") });
    expect(totalBytes).toBe(await bytesIn(site.store));
    stopped.release();
    await run;
    expect((await spaceOf(site)).underWay.packs).toBe(0);
    await site.close();
  });

  test("knows what the store holds of that which is to be deleted", async () => {
    const site = await BlockSite.open(new HoldingStore());
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const [held = ""] = await keysOf(site.store, "packs/");
    const until = new Date(Date.now() + HOUR_MS);
    await site.store.retention.extend(held, until, { signal: never });
    await site.prune();
    const lockedBytes = site.store.objects.get(held)?.byteLength;
    const deletable = { packs: 1, bytes: lockedBytes, lockedBytes, lockedUntil: until.toISOString() };
    expect((await spaceOf(site)).deletable).toEqual(deletable);
    await site.close();
  });

  test("counts packs without a readable directory, and refuses when the needs of points are unknown", async () => {
    const site = await BlockSite.open();
    await site.backUp({ blocks: [1, 2, 3] });
    const name = "ab".repeat(16);
    site.store.objects.set(`packs/ab/${name}`, new Uint8Array(500));
    expect((await spaceOf(site)).unreadable).toEqual({ packs: 1, bytes: 500 });
    for (const key of await keysOf(site.store, "packs/")) site.store.objects.delete(key);
    await expect(spaceOf(site)).rejects.toMatchObject({ code: "E_INTEGRITY" });
    await site.close();
  });
});
