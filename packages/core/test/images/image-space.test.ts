import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type CallOptions, type ImageInfo, systemClock } from "@ovault/contract";
import { imageSpace } from "@ovault/core";
import { never } from "@ovault/test-support/repository/take-point";
import { arbitraryDisk, type MemoryImageStore, sourceOf } from "@ovault/testkit";

import { ImageSite, pointsOn, takeOptions } from "./support/image-site.ts";
import { SteppedImageStore } from "./support/stepped-image-store.ts";

/** Says that images take half of their size, of a file system of 100 bytes. */
class MeasuringImageStore extends SteppedImageStore {
  constructor(images: MemoryImageStore) {
    super(images, () => {});
  }

  override async *list(prefix: string, options: CallOptions): AsyncGenerator<ImageInfo> {
    for await (const info of super.list(prefix, options)) yield { ...info, allocatedBytes: info.logicalBytes / 2 };
  }

  async usage() {
    return { totalBytes: 100, usedBytes: 60, freeBytes: 30 };
  }
}

const sum = (logicalBytes: number) => ({ logicalBytes, allocatedBytes: logicalBytes / 2 });

test("every image is in one of the sums: of its point, or of those that belong to none", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(5), arbitraryDisk(5), fc.nat(3), async (a, b, more) => {
      const site = await ImageSite.onImages({ a, b });
      const points = [await site.backUp()];
      for (let at = 0; at < more; at += 1) points.push(await site.backUp());
      const wish = { runId: "running", ifBusy: "refuse", clock: systemClock, signal: never } as const;
      const running = await site.store.beginPoint(site.platform.vm(), wish);
      await running.takeDisks([sourceOf(a, { id: "a" })], takeOptions());
      const each = a.bytes.length + b.bytes.length;
      const { id, name, manager } = site.platform.vm();
      expect(await imageSpace(pointsOn(new MeasuringImageStore(site.images)), never)).toEqual({
        kind: "images",
        fileSystem: { totalBytes: 100, usedBytes: 60, freeBytes: 30 },
        ...sum(points.length * each + a.bytes.length),
        machines: [
          {
            vm: { id, name, manager },
            points: points.length,
            ...sum(points.length * each),
            byPoint: points.map((point) => ({ id: point.id, takenAt: point.takenAt, ...sum(each) })),
          },
        ],
        others: { images: 1, ...sum(a.bytes.length) },
      });
      await running.release();
    }),
    { numRuns: 10 },
  );
});

test("a store that cannot say what it uses still has the sizes of the disks", async () => {
  const site = await ImageSite.onImages({ a: { bytes: new Uint8Array(4096), extents: [] } });
  expect(await imageSpace(site.store, never)).toMatchObject({ fileSystem: null, logicalBytes: 0, machines: [] });
  const bytes = Buffer.alloc(4096, "x");
  site.platform.disks.set("a", { bytes, extents: [{ offset: 0, length: 4096, kind: "data" }] });
  await site.backUp();
  expect(await imageSpace(site.store, never)).toMatchObject({
    logicalBytes: 4096,
    allocatedBytes: null,
    machines: [{ allocatedBytes: null, byPoint: [{ logicalBytes: 4096, allocatedBytes: null }] }],
    others: { images: 0, logicalBytes: 0 },
  });
});
