import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { type SpaceReport, spaceReport } from "@ovault/core";
import { FaultyStore, HoldingStore, keysOf, listed } from "@ovault/testkit";

import { never } from "../support/take-point.ts";
import { GatedStore } from "./support/gated-store.ts";
import type { BlockRun } from "./support/take-block-point.ts";
import { ALL, copyOf, hoursLater, Yard } from "./support/yard.ts";

const HOUR_MS = 60 * 60 * 1000;
const NO_REPACK = { minDeadShare: 1, budgetBytes: 0 };

/** What lies there, in bytes; below a prefix. */
async function bytesIn(store: ObjectStore, prefix = ""): Promise<number> {
  return sum((await listed(store, prefix)).map(({ bytes }) => bytes));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function spaceOf(yard: Yard<ObjectStore>): Promise<SpaceReport> {
  return await spaceReport(await yard.repository(), { signal: never });
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

/** A yard after this. */
async function yardAfter(actions: readonly Action[]): Promise<Yard> {
  const yard = await Yard.open();
  for (const next of actions) {
    if (typeof next === "object") await yard.backUp(next);
    else if (next === "forget") {
      const [oldest] = (await (await yard.repository()).points.list(never)).points;
      if (oldest !== undefined) await yard.forget(oldest);
    } else if (next === "condemn") await yard.prune({ graceMs: HOUR_MS, repack: ALL });
    else {
      const dying = new FaultyStore(yard.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
      await yard.backUp({ blocks: [7, 8, 9], vm: "vm-4" }, dying).catch(() => undefined);
    }
  }
  return yard;
}

describe("a report on space", () => {
  test("accounts for every byte in the store, once, and changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(50), async (actions, foreign) => {
        const yard = await yardAfter(actions);
        yard.store.objects.set("notes/of-somebody", new Uint8Array(foreign));
        const before = new Map(yard.store.objects);
        const space = await spaceOf(yard);
        expect(yard.store.objects).toEqual(before);
        expect(space.totalBytes).toBe(await bytesIn(yard.store));
        expect(space.foreign).toEqual({ objects: 1, bytes: foreign });
        expect(space.metadata.indexBytes).toBe(await bytesIn(yard.store, "index/"));
        expect(space.metadata.manifestBytes).toBe(await bytesIn(yard.store, "points/"));
        const { dataBytes, metadata, machines, sharedBytes } = space;
        expect(sum(machines.map(({ ownBytes }) => ownBytes)) + sharedBytes).toBe(dataBytes + metadata.pageBytes);
        // Blocks of a yard are not compressed.
        expect(space.plainBytes).toBe(dataBytes);
        await yard.close();
      }),
      { numRuns: 25 },
    );
  });

  test("tells what prune frees, and what it frees by copying", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (actions) => {
        const yard = await yardAfter(actions);
        const clock = hoursLater(2);
        const before = await spaceReport(await yard.repository(), { clock, signal: never });
        expect(before.underWay.packs).toBe(0);
        expect((await yard.prune({ repack: NO_REPACK, clock })).freedBytes).toBe(freeable(before));
        const without = await spaceOf(yard);
        const { dataBytes, metadata, deadBytes } = before;
        const { pageBytes, packBytes } = metadata;
        expect(without).toMatchObject({ dataBytes, deadBytes, metadata: { pageBytes, packBytes } });
        await yard.prune({ repack: ALL, clock: hoursLater(4) });
        expect(await spaceOf(yard)).toMatchObject({ dataBytes, deadBytes: 0, metadata: { pageBytes } });
        await yard.close();
      }),
      { numRuns: 15 },
    );
  });

  test("tells of each machine what only its points need, and what others need too", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (actions) => {
        const yard = await yardAfter(actions);
        const clock = hoursLater(2);
        await yard.prune({ repack: ALL, clock });
        const space = await spaceOf(yard);
        const all = (await (await yard.repository()).points.list(never)).points;
        for (const { vm, points, logicalBytes, ownBytes, sharedBytes } of space.machines) {
          const [own, others] = [
            all.filter((each) => each.vm.id === vm.id),
            all.filter((each) => each.vm.id !== vm.id),
          ];
          expect(own).toHaveLength(points);
          expect(sum(own.flatMap(({ disks }) => disks.map(({ stats }) => stats.logicalBytes)))).toBe(logicalBytes);
          const [without, alone] = [copyOf(yard), copyOf(yard)];
          await without.forget(...own);
          expect(neededBytes(space) - neededBytes(await spaceOf(without))).toBe(ownBytes);
          await alone.forget(...others);
          expect(neededBytes(await spaceOf(alone))).toBe(ownBytes + sharedBytes);
        }
        await yard.close();
      }),
      { numRuns: 10 },
    );
  });

  test("tells until when what is condemned stays, and which run holds it", async () => {
    const yard = await Yard.open();
    await yard.forget(await yard.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("packs/"));
    const run = yard.backUp({ blocks: [4, 5], vm: "vm-2" }, place);
    await stopped.reached;
    await yard.prune({ graceMs: HOUR_MS });
    const { condemned } = await spaceOf(yard);
    expect(condemned.bytes).toBe(await bytesIn(yard.store, "packs/"));
    expect(condemned.heldBy).toMatchObject([{ pid: process.pid }]);
    const hoursLeft = (Date.parse(condemned.graceUntil ?? "") - Date.now()) / HOUR_MS;
    expect(hoursLeft).toBeGreaterThan(23);
    expect(hoursLeft).toBeLessThan(25);
    stopped.release();
    await run;
    expect((await spaceOf(yard)).condemned).toMatchObject({ bytes: condemned.bytes, heldBy: [] });
    await yard.close();
  });

  test("knows what a run has put that is under way", async () => {
    const yard = await Yard.open();
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const run = yard.backUp({ blocks: [1, 2, 3] }, place);
    await stopped.reached;
    const put = await keysOf(yard.store, "packs/");
    const { underWay, totalBytes } = await spaceOf(yard);
    expect(underWay).toEqual({ packs: put.length, bytes: await bytesIn(yard.store, "packs/") });
    expect(totalBytes).toBe(await bytesIn(yard.store));
    stopped.release();
    await run;
    expect((await spaceOf(yard)).underWay.packs).toBe(0);
    await yard.close();
  });

  test("knows what the store holds of that which is to be deleted", async () => {
    const yard = await Yard.open(new HoldingStore());
    await yard.forget(await yard.backUp({ blocks: [1, 2, 3] }));
    const [held = ""] = await keysOf(yard.store, "packs/");
    const until = new Date(Date.now() + HOUR_MS);
    await yard.store.retention.extend(held, until, { signal: never });
    await yard.prune();
    const lockedBytes = yard.store.objects.get(held)?.byteLength;
    const deletable = { packs: 1, bytes: lockedBytes, lockedBytes, lockedUntil: until.toISOString() };
    expect((await spaceOf(yard)).deletable).toEqual(deletable);
    await yard.close();
  });

  test("counts packs that do not tell what they hold, and refuses when it cannot be told what points need", async () => {
    const yard = await Yard.open();
    await yard.backUp({ blocks: [1, 2, 3] });
    const name = "ab".repeat(16);
    yard.store.objects.set(`packs/ab/${name}`, new Uint8Array(500));
    expect((await spaceOf(yard)).unreadable).toEqual({ packs: 1, bytes: 500 });
    for (const key of await keysOf(yard.store, "packs/")) yard.store.objects.delete(key);
    await expect(spaceOf(yard)).rejects.toMatchObject({ code: "E_INTEGRITY" });
    await yard.close();
  });
});
