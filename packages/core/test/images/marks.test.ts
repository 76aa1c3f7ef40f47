import * as fc from "fast-check";
import { expect, test } from "vitest";

import { StoreReadOnlyError } from "@ovault/contract";
import { lossesOfMarked, verifyImages } from "@ovault/core";
import { never } from "@ovault/test-support/repository/take-point";
import { arbitraryDisk } from "@ovault/testkit";

import { BLOCK_BYTES, ImageSite, pointsOn } from "./support/image-site.ts";
import { DamagedImageStore } from "./support/damaged-image-store.ts";
import { SteppedImageStore } from "./support/stepped-image-store.ts";

const BLOCKS = 6;
const disk = {
  bytes: Uint8Array.from({ length: BLOCKS * BLOCK_BYTES }, (_, at) => 1 + ((at >> 4) % 250)),
  extents: [{ offset: 0, length: BLOCKS * BLOCK_BYTES, kind: "data" as const }],
};

function marksIn(site: ImageSite): readonly string[] {
  return [...site.images.objects.objects.keys()].filter((key) => key.startsWith("lost/"));
}

test("damage that verify finds is known to every command until it is gone, and the next backup reads everything", async () => {
  const bad = fc.uniqueArray(fc.nat(BLOCKS * BLOCK_BYTES - 1), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(BLOCKS), bad, async (other, offsets) => {
      const site = await ImageSite.onImages({ a: disk, b: other });
      const images = new DamagedImageStore(site.images);
      const store = pointsOn(images);
      const first = await site.backUp();
      const key = store.points.keyOfImage(first, "a");
      images.damage.set(key, offsets);
      const report = await verifyImages(store, { points: [first], signal: never });
      const blocks = [...new Set(offsets.map((at) => Math.floor(at / BLOCK_BYTES)))].toSorted((a, b) => a - b);
      const lostBytes = blocks.length * BLOCK_BYTES;
      expect(new Set(report.damage.map(({ point }) => point))).toEqual(new Set([first.id]));
      // Another process, which has read nothing.
      const known = (await lossesOfMarked(pointsOn(site.images), [first], never)).get(first.id);
      expect(known).toMatchObject([{ disk: "a", lostBytes }]);
      const lost = known?.[0]?.ranges.flatMap(({ offset, length }) =>
        Array.from({ length: length / BLOCK_BYTES }, (_, at) => offset / BLOCK_BYTES + at),
      );
      expect(lost).toEqual(blocks);
      expect(await pointsOn(site.images).lossesOfBase(first, never)).toEqual(known);
      await verifyImages(store, { points: [first], signal: never });
      expect(marksIn(site)).toHaveLength(1);
      const next = await site.backUp({ store });
      expect(next.disks.map(({ mode, reason }) => [mode, reason])).toEqual([
        ["full", `the last point, ${first.id}, has lost data`],
        ["full", `the last point, ${first.id}, has lost data`],
      ]);
      expect((await site.restore(next)).disks).toEqual(site.now());
      expect((await site.backUp({ store })).disks.map(({ mode }) => mode)).toEqual(["incremental", "incremental"]);
      await store.points.forget(first, never);
      expect(marksIn(site)).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

test("a mark goes when its point proves sound, and one that cannot be read counts for all of it", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const images = new DamagedImageStore(site.images);
  const store = pointsOn(images);
  const point = await site.backUp();
  images.damage.set(store.points.keyOfImage(point, "a"), [0]);
  expect(await verifyImages(store, { signal: never })).toMatchObject({
    damage: [{ point: point.id, offset: 0, length: BLOCK_BYTES }],
  });
  const [mark = ""] = marksIn(site);
  site.images.objects.objects.set(mark, Buffer.from("damaged"));
  expect(await store.lossesOfBase(point, never)).toMatchObject([{ disk: "a", lostBytes: disk.bytes.length }]);
  images.damage.clear();
  expect(await verifyImages(store, { signal: never })).toMatchObject({ damage: [], notes: [] });
  expect(marksIn(site)).toEqual([]);
  expect(await store.lossesOfBase(point, never)).toEqual([]);
});

test("an image that is gone is damage of its whole disk, and marked", async () => {
  const site = await ImageSite.onImages({ a: disk, b: disk });
  const point = await site.backUp();
  await site.images.delete(site.store.points.keyOfImage(point, "a"), { signal: never });
  expect(await verifyImages(site.store, { signal: never })).toMatchObject({
    damage: [{ point: point.id, offset: null, length: null }],
  });
  const known = await lossesOfMarked(site.store, [point], never);
  expect(known.get(point.id)).toMatchObject([{ disk: "a", lostBytes: disk.bytes.length }]);
});

test("a destination that takes no mark still reports the damage, and says so once", async () => {
  const site = await ImageSite.onImages({ a: disk });
  for (const point of [await site.backUp(), await site.backUp({ full: true })]) {
    await site.images.delete(site.store.points.keyOfImage(point, "a"), { signal: never });
  }
  const refusing = new SteppedImageStore(site.images, (call) => {
    if (call.startsWith("put ")) throw new StoreReadOnlyError("read-only");
  });
  const report = await verifyImages(pointsOn(refusing), { signal: never });
  expect(report.damage).toHaveLength(2);
  expect(report.notes).toEqual([expect.stringContaining("read-only")]);
});

test("a point that is forgotten while it is verified leaves no mark", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const point = await site.backUp();
  await site.images.delete(site.store.points.keyOfImage(point, "a"), { signal: never });
  const racing = new SteppedImageStore(site.images, async (call) => {
    if (call.startsWith("put lost/")) await site.store.points.forget(point, never);
  });
  const report = await verifyImages(pointsOn(racing), { signal: never });
  expect(report.damage).toEqual([]);
  expect(marksIn(site)).toEqual([]);
});
