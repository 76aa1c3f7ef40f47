import { randomUUID } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type ObjectStore, type OvaultError, processIdentity, type RecoveryPoint } from "@ovault/contract";
import type { ImagePoints, PointHold } from "@ovault/core";
import { DEAD, ELSEWHERE } from "@ovault/test-support/repository/block-site";
import { never } from "@ovault/test-support/repository/take-point";
import { keysOf, ScheduledStore } from "@ovault/testkit";

import { BLOCK_BYTES, ImageSite, pointsOn } from "./support/image-site.ts";

const disk = {
  bytes: Uint8Array.from({ length: 8 * BLOCK_BYTES }, (_, at) => 1 + ((at >> 4) % 250)),
  extents: [{ offset: 0, length: 8 * BLOCK_BYTES, kind: "data" as const }],
};

async function hold(store: ImagePoints, point: RecoveryPoint, process = processIdentity()): Promise<PointHold> {
  return await store.hold(point, { runId: randomUUID(), process, signal: never });
}

async function holdsOf({ images }: ImageSite): Promise<readonly string[]> {
  return (await keysOf(images.objects, "leases/")).filter((key) => key.startsWith("leases/hold-"));
}

test("images of a held point stay when it is forgotten, also for the next run, and go with the hold", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const point = await site.backUp();
  const held = await hold(site.store, point);
  await site.store.points.forget(point, never);
  expect(await site.sealed()).toEqual([]);
  await site.backUp({ full: true });
  expect((await site.restore(point)).disks).toEqual(site.now());
  await held.release();
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
  expect(await holdsOf(site)).toEqual([]);
});

test("images whose holder has died go with the next run, and no other hold's end takes them before", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const point = await site.backUp();
  await hold(site.store, point, ELSEWHERE);
  const second = await hold(site.store, point);
  await site.store.points.forget(point, never);
  await second.release();
  expect((await site.restore(point)).disks).toEqual(site.now());
  const [claim = ""] = await holdsOf(site);
  site.images.objects.objects.delete(claim);
  await hold(site.store, point, DEAD).catch(() => undefined);
  await site.backUp({ full: true });
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
});

test("a kept hold keeps images while its process is gone, and is taken again though the point was forgotten", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const point = await site.backUp();
  const options = { runId: randomUUID(), process: DEAD, keptAs: randomUUID(), signal: never };
  await site.store.hold(point, options);
  await site.store.points.forget(point, never);
  await site.backUp({ full: true });
  expect((await site.restore(point)).disks).toEqual(site.now());
  const again = await site.store.hold(point, options);
  await again.release();
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
  expect(await holdsOf(site)).toEqual([]);
  await expect(site.store.hold(point, options)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
});

test("of a hold and a forget at once, one sees the other: the point is there, or the hold is refused", async () => {
  const scheduler = fc.scheduler({
    act: async (step) => {
      await step();
      await new Promise(setImmediate);
    },
  });
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(scheduler, fc.nat(20), async (schedule, waits) => {
      const site = await ImageSite.onImages({ a: disk });
      const point = await site.backUp();
      const before = site.now();
      const asSeen = (objects: ObjectStore): ImagePoints => pointsOn(site.withObjects(objects));
      const [holding, forgetting] = [0, 1].map(() => asSeen(new ScheduledStore(site.images.objects, schedule)));
      if (holding === undefined || forgetting === undefined) throw new Error("there are two");
      let held: PointHold | undefined;
      const taking = hold(holding, point, ELSEWHERE).then(
        (taken) => {
          held = taken;
          return "held";
        },
        (error: OvaultError) => error.code,
      );
      const forget = async (): Promise<void> => {
        for (let wait = 0; wait < waits; wait += 1) await schedule.schedule(Promise.resolve(), "waits");
        await forgetting.points.forget(point, never);
      };
      const [outcome] = await schedule.waitFor(Promise.all([taking, forget()]));
      outcomes.add(outcome);
      const disks = outcome === "held" ? (await site.restore(point)).disks : before;
      expect(disks).toEqual(before);
      if (held !== undefined) await schedule.waitFor(held.release());
      await site.backUp({ full: true });
      expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
    }),
    { numRuns: 100 },
  );
  expect([...outcomes].toSorted()).toEqual(["E_NOT_FOUND", "held"]);
});
