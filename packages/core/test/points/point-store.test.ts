import * as fc from "fast-check";
import { expect, test } from "vitest";

import { machineKey, type RecoveryPoint } from "@ovault/contract";
import type { PointStore } from "@ovault/core";
import { arbitraryDisk, MemoryImageStore, MemoryStore, sourceOf } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, takePoint } from "@ovault/test-support/repository/take-point";
import { ImagePoints } from "./support/image-points.ts";

const BLOCK_BYTES = 512;

/** The first disk of a point, by what every point store has. */
async function bytesIn(store: Pick<PointStore, "openDisk">, point: RecoveryPoint): Promise<Buffer> {
  const [record] = point.disks;
  if (record === undefined) throw new Error("the point has a disk");
  const disk = await store.openDisk(point, record, { signal: never });
  const bytes = Buffer.alloc(disk.logicalBytes, 0xee);
  for await (const { offset, length, kind } of disk.extents(never)) {
    if (kind === "zero") bytes.fill(0, offset, offset + length);
    else await disk.readInto(offset, bytes.subarray(offset, offset + length), never);
  }
  await disk.close();
  return bytes;
}

function idsOf(points: readonly RecoveryPoint[]): readonly string[] {
  return points.map(({ id }) => id);
}

async function idsIn(
  { points }: Pick<PointStore, "points">,
  { vm }: RecoveryPoint,
): Promise<readonly (readonly string[])[]> {
  const [all, own, newest] = [await points.list(never), await points.listOf(vm, never), await points.newest(never)];
  return [idsOf(all.points), idsOf(own.points), [newest.get(machineKey(vm))?.id ?? ""]];
}

test("points are listed, read and forgotten alike in a repository and on an image store", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(5), arbitraryDisk(5), async (first, second) => {
      const repository = await smallRepository(new MemoryStore(), BLOCK_BYTES);
      const store = new MemoryImageStore();
      const images = new ImagePoints(store);
      const taken: RecoveryPoint[] = [];
      for (const disk of [first, second]) {
        const point = await takePoint(repository, [sourceOf(disk)]);
        taken.push(point);
        const key = ImagePoints.keyOf(point, point.disks[0]?.disk.id ?? "");
        const draft = await store.create(key, { logicalBytes: disk.bytes.byteLength, signal: never });
        await draft.write(0, disk.bytes, never);
        await draft.commit(never);
        await images.seal(point, never);
        for (const place of [repository, images]) {
          const found = await place.points.find(point.id, never);
          expect(await bytesIn(place, found)).toEqual(Buffer.from(disk.bytes));
        }
      }
      const [older, newer] = taken;
      if (older === undefined || newer === undefined) throw new Error("two points were taken");
      expect(await idsIn(images, newer)).toEqual(await idsIn(repository, newer));
      for (const place of [repository, images]) await place.points.forget(older, never);
      const left = await idsIn(repository, newer);
      expect([await idsIn(images, newer), left]).toEqual([left, [[newer.id], [newer.id], [newer.id]]]);
    }),
    { numRuns: 20 },
  );
});
