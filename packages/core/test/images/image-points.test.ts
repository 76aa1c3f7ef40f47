import * as fc from "fast-check";
import { expect, test } from "vitest";

import { machineKey, type RecoveryPoint, StoreMediumError, systemClock } from "@ovault/contract";
import { planBackup, type PointStore } from "@ovault/core";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { applyChanges, arbitraryChanges, arbitraryDisk, MemoryStore, ModelStrategy, sourceOf } from "@ovault/testkit";

import { ModelRuns } from "../support/model-runs.ts";
import { BLOCK_BYTES, ImageSite, pointsOn, takeOptions } from "./support/image-site.ts";
import { SteppedImageStore } from "./support/stepped-image-store.ts";

/** Data from end to end. */
const disk = {
  bytes: Uint8Array.from({ length: 20 * BLOCK_BYTES }, (_, at) => 1 + ((at >> 4) % 250)),
  extents: [{ offset: 0, length: 20 * BLOCK_BYTES, kind: "data" as const }],
};
/** Two blocks of it are others, and two are zeros. */
const changed = applyChanges(disk, {
  changes: [
    { at: 0.5, length: BLOCK_BYTES + 1, seed: 7 },
    { at: 0.25, length: 2 * BLOCK_BYTES, seed: 0 },
  ],
  grownBy: 0,
});

/** A disk of a point, by what every point store has. */
async function bytesIn(store: PointStore, point: RecoveryPoint): Promise<Buffer> {
  const [record] = point.disks;
  if (record === undefined) throw new Error("the point has a disk");
  const reader = await store.openDisk(point, record, { signal: never });
  const bytes = Buffer.alloc(reader.logicalBytes, 0xee);
  for await (const { offset, length, kind } of reader.extents(never)) {
    if (kind === "zero") bytes.fill(0, offset, offset + length);
    else await reader.readInto(offset, bytes.subarray(offset, offset + length), never);
  }
  await reader.close();
  return bytes;
}

function idsOf(points: readonly RecoveryPoint[]): readonly string[] {
  return points.map(({ id }) => id);
}

async function idsIn({ points }: PointStore, { vm }: RecoveryPoint): Promise<readonly (readonly string[])[]> {
  const [all, own, newest] = [await points.list(never), await points.listOf(vm, never), await points.newest(never)];
  return [idsOf(all.points), idsOf(own.points), [newest.get(machineKey(vm))?.id ?? ""]];
}

test("whatever a guest writes, runs back up, start from the last point, restore and forget alike in a repository and on images", async () => {
  const history = fc.array(fc.record({ changes: arbitraryChanges, compared: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(5), arbitraryDisk(5), history, async (first, second, steps) => {
      const images = await ImageSite.onImages({ a: first, b: second });
      const repository: PointStore = await smallRepository(new MemoryStore(), BLOCK_BYTES);
      const chunks = await ModelRuns.open(repository, { a: first, b: second });
      const outcomes = [];
      for (const runs of [images, chunks]) {
        const { store } = runs;
        const taken: { readonly point: RecoveryPoint; readonly disks: Record<string, Uint8Array> }[] = [];
        const take = async (): Promise<void> => {
          taken.push({ point: await runs.backUp(), disks: runs.now() });
        };
        await take();
        for (const { changes, compared } of steps) {
          const now = runs.platform.disks.get("a") ?? first;
          runs.platform.disks.set("a", applyChanges(now, changes));
          // Without what tracked the changes, everything is read.
          if (compared) runs.platform.checkpoints.clear();
          await take();
        }
        const newest = taken.at(-1)?.point;
        if (newest === undefined) throw new Error("a point was taken");
        const modes: string[] = [];
        for (const { point, disks } of taken) {
          const found = await store.points.find(point.id, never);
          expect(found).toEqual(point);
          expect(await runs.restore(found)).toEqual({ disks, lost: [] });
          expect(await bytesIn(store, found)).toEqual(Buffer.from(disks["a"] ?? []));
          modes.push(...point.disks.map(({ mode }) => mode));
          expect(point.basePoint === null).toBe(point.disks.every(({ mode }) => mode === "full"));
        }
        expect(await idsIn(store, newest)).toEqual([
          idsOf(taken.map(({ point }) => point)),
          idsOf(taken.map(({ point }) => point)),
          [newest.id],
        ]);
        for (const { point } of taken) if (point !== newest) await store.points.forget(point, never);
        expect(await idsIn(store, newest)).toEqual([[newest.id], [newest.id], [newest.id]]);
        expect((await runs.restore(newest)).disks).toEqual(runs.now());
        outcomes.push(modes);
      }
      expect(outcomes[0]).toEqual(outcomes[1]);
      expect(await images.keysOfImages()).toEqual(await images.keysOfPoints());
    }),
    { numRuns: 20 },
  );
});

test.each(["tracked", "not tracked"])(
  "an increment whose changes are %s writes only what has changed, into a clone of the base's image",
  async (how) => {
    const site = await ImageSite.onImages({ a: disk });
    await site.backUp();
    site.platform.disks.set("a", changed);
    if (how === "not tracked") site.platform.checkpoints.clear();
    const calls: string[] = [];
    const point = await site.backUp({
      store: pointsOn(new SteppedImageStore(site.images, (call) => calls.push(call))),
    });
    const made = calls.filter((call) => /^(create|clone|write|zero|commit)$/.test(call));
    expect(made.toSorted()).toEqual(["clone", "commit", "write", "write", "zero", "zero"]);
    const stats = { newBlocks: 2, zeroBlocks: 2, unchangedBlocks: 16, storedBytes: 2 * BLOCK_BYTES };
    expect(point.disks).toMatchObject([{ blockMap: null, stats }]);
    expect((await site.restore(point)).disks).toEqual(site.now());
  },
);

test("a source that cannot read what is unchanged gets it from the image of the base", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(5), arbitraryChanges, async (then, changes) => {
      const site = await ImageSite.onImages({ a: then });
      const base = await site.backUp();
      const now = applyChanges(then, changes);
      site.platform.disks.set("a", now);
      const vm = site.platform.vm();
      const store = site.store;
      const wish = { runId: "own", ifBusy: "refuse", clock: systemClock, signal: never } as const;
      const writer = await store.beginPoint(vm, wish);
      const source = sourceOf(now, { id: "a", mode: "incremental", readsUnchanged: false });
      const disks = await writer.takeDisks([source], takeOptions(base));
      expect(await bytesIn(store, { ...base, vm, id: writer.id, disks })).toEqual(Buffer.from(now.bytes));
      await writer.release();
    }),
    { numRuns: 30 },
  );
});

test("the last point that is forgotten leaves no image, no manifest and no mark", async () => {
  const site = await ImageSite.onImages({ a: disk, b: changed });
  const point = await site.backUp();
  expect((await site.keysOfImages()).length).toBe(2);
  await site.store.points.forget(point, never);
  expect(await site.keysOfImages()).toEqual([]);
  expect([...site.images.objects.objects.keys()].filter((key) => key.startsWith("points/"))).toEqual([]);
});

test("an image that is gone makes the next run read all of its disk, as its plan says, and the point tells why", async () => {
  const site = await ImageSite.onImages({ a: disk, b: disk });
  const first = await site.backUp();
  await site.images.delete(site.store.points.keyOfImage(first, "a"), { signal: never });
  const wish = { vm: site.platform.vm(), strategy: new ModelStrategy(site.platform), excludeDisks: [], keepBase: true };
  expect(await planBackup({ ...wish, store: site.store, signal: never })).toMatchObject({ baseHasLosses: true });
  site.platform.disks.set("a", changed);
  const point = await site.backUp();
  const reason = `the last point, ${first.id}, has lost data`;
  expect(point.disks).toMatchObject([
    { mode: "full", reason },
    { mode: "full", reason },
  ]);
  expect((await site.restore(point)).disks).toEqual(site.now());
});

test("an image that goes while it is cloned costs a full read in the same run", async () => {
  const site = await ImageSite.onImages({ a: disk, b: disk });
  const first = await site.backUp();
  site.platform.disks.set("a", changed);
  const images = new SteppedImageStore(site.images, (call) => {
    if (call === "clone") void site.images.delete(site.store.points.keyOfImage(first, "a"), { signal: never });
  });
  const point = await site.backUp({ store: pointsOn(images) });
  expect(point.disks[0]).toMatchObject({ mode: "full", reason: `the last point, ${first.id}, is damaged` });
  expect((await site.restore(point)).disks).toEqual(site.now());
  const gone = site.store.points.keyOfImage(first, "a");
  expect(await site.keysOfImages()).toEqual((await site.keysOfPoints()).filter((key) => key !== gone));
});

test("a salvage gives back all but the disk whose image is gone, and all but what cannot be read", async () => {
  const site = await ImageSite.onImages({ a: disk, b: changed });
  const point = await site.backUp();
  await site.images.delete(site.store.points.keyOfImage(point, "a"), { signal: never });
  await expect(site.restore(point)).rejects.toMatchObject({ code: "E_INTEGRITY" });
  const { disks, lost } = await site.restore(point, { salvage: true });
  expect(disks).toEqual({ a: new Uint8Array(disk.bytes.length), b: changed.bytes });
  expect(lost).toMatchObject([{ disk: "a", lostBytes: disk.bytes.length }]);
  const broken = new SteppedImageStore(site.images, (call) => {
    if (call === "read") throw new StoreMediumError("a bad sector");
  });
  const worse = await site.restore(point, { salvage: true, store: pointsOn(broken) });
  expect(worse.disks).toEqual({ a: new Uint8Array(disk.bytes.length), b: new Uint8Array(disk.bytes.length) });
  expect(worse.lost).toMatchObject([{ disk: "a" }, { disk: "b", ranges: [{ reason: "a bad sector" }] }]);
});
