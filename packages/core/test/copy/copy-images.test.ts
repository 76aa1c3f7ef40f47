import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { processIdentity, type RecoveryPoint, systemClock } from "@ovault/contract";
import { originOf, verifyImages } from "@ovault/core";
import { never } from "@ovault/test-support/repository/take-point";
import {
  applyChanges,
  arbitraryChanges,
  arbitraryDisk,
  MemoryImageStore,
  type ModelDisk,
  sourceOf,
} from "@ovault/testkit";

import { DamagedImageStore } from "../images/support/damaged-image-store.ts";
import { BLOCK_BYTES, ImageSite, pointsOn, takeOptions } from "../images/support/image-site.ts";
import { SteppedImageStore } from "../images/support/stepped-image-store.ts";
import { type ModelDisks, ModelRuns } from "../support/model-runs.ts";
import {
  copyAll,
  damageIn,
  imagesInVain,
  keptIn,
  type Kind,
  KINDS,
  newPlace,
  type Place,
} from "./support/copy-places.ts";

const PAIRS = KINDS.flatMap((from) => KINDS.map((to) => [from, to] as const)).filter((pair) => pair.includes("images"));

/** Data from end to end. */
const disk: ModelDisk = {
  bytes: Uint8Array.from({ length: 20 * BLOCK_BYTES }, (_, at) => 1 + ((at >> 4) % 250)),
  extents: [{ offset: 0, length: 20 * BLOCK_BYTES, kind: "data" }],
};
/** Two blocks of it are others, and two are zeros. */
const changed = applyChanges(disk, {
  changes: [
    { at: 0.5, length: BLOCK_BYTES + 1, seed: 7 },
    { at: 0.25, length: 2 * BLOCK_BYTES, seed: 0 },
  ],
  grownBy: 0,
});

/** Of a process that has ended. */
const dead = { ...processIdentity(), startTicks: 1 };

async function source(kind: Kind, disks: ModelDisks): Promise<ModelRuns<Place>> {
  return await ModelRuns.open(await newPlace(kind), disks);
}

/** A machine with two points; what its disks hold, by point. */
async function twoPointsIn(kind: Kind) {
  const runs = await source(kind, { a: disk, b: disk });
  const content = new Map<string, Record<string, Uint8Array>>();
  const take = async (): Promise<RecoveryPoint> => {
    const point = await runs.backUp();
    content.set(point.id, runs.now());
    return point;
  };
  const first = await take();
  runs.platform.disks.set("a", changed);
  const second = await take();
  return { runs, from: runs.store, first, second, content };
}

/** Every copy restores as its origin; answers the ids of the origins. */
async function expectWhole(
  runs: ModelRuns<Place>,
  to: Place,
  content: ReadonlyMap<string, Record<string, Uint8Array>>,
) {
  const { points } = await to.points.list(never);
  for (const point of points) {
    expect(await runs.restore(point, { store: to })).toEqual({ disks: content.get(originOf(point.id)), lost: [] });
  }
  expect(await damageIn(to)).toEqual([]);
  return points.map(({ id }) => originOf(id));
}

describe.each(PAIRS)("from %s to %s", (fromKind, toKind) => {
  test("every copy restores, has the id and the manifest of its origin, and nothing is copied twice", async () => {
    const step = fc.record({ changes: arbitraryChanges, copied: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(arbitraryDisk(6), arbitraryDisk(4), fc.array(step, { maxLength: 3 }), async (a, b, steps) => {
        const runs = await source(fromKind, { a, b });
        const to = await newPlace(toKind);
        const content = new Map<string, Record<string, Uint8Array>>();
        const copied = new Set<string>();
        for (const { changes, copied: now } of [{ changes: { changes: [], grownBy: 0 }, copied: false }, ...steps]) {
          runs.platform.disks.set("a", applyChanges(runs.platform.disks.get("a") ?? a, changes));
          const point = await runs.backUp();
          content.set(point.id, runs.now());
          if (!now) continue;
          expect(await copyAll(runs.store, to, { points: [point] })).toMatchObject([
            { outcome: "copied", copyId: point.id },
          ]);
          copied.add(point.id);
        }
        expect(new Set(await expectWhole(runs, to, content))).toEqual(copied);
        const origins = (await runs.store.points.list(never)).points;
        const outcomes = (await copyAll(runs.store, to)).map(({ outcome }) => outcome);
        expect(outcomes).toEqual(origins.map(({ id }) => (copied.has(id) ? "present" : "copied")));
        expect(await expectWhole(runs, to, content)).toEqual(origins.map(({ id }) => id));
        const copies = (await to.points.list(never)).points;
        expect(copies.map(keptIn)).toEqual(origins.map(keptIn));
        const copiedFrom = await runs.store.identify(never);
        for (const copy of copies) {
          expect(copy).toMatchObject({ copiedFrom, blockBytes: to.blockBytes });
          expect(copy.disks.every(({ base }) => base === undefined)).toBe(true);
        }
        expect(await imagesInVain(to)).toEqual([]);
      }),
      { numRuns: 8 },
    );
  });

  test("a dry run changes nothing and knows what a copy would read", async () => {
    const { from, first } = await twoPointsIn(fromKind);
    const to = await newPlace(toKind);
    await copyAll(from, to, { points: [first] });
    const before = (await to.points.list(never)).points;
    const planned = await copyAll(from, to, { dryRun: true });
    expect((await to.points.list(never)).points).toEqual(before);
    const done = await copyAll(from, to);
    expect(planned.map(({ outcome, readBytes }) => ({ outcome, readBytes }))).toEqual(
      done.map(({ outcome, readBytes }) => ({ outcome, readBytes })),
    );
    expect(done.map(({ outcome }) => outcome)).toEqual(["present", "copied"]);
  });

  test("a point that was forgotten at the source is not copied, and the others are", async () => {
    const { from, first, second, content, runs } = await twoPointsIn(fromKind);
    await from.points.forget(first, never);
    const to = await newPlace(toKind);
    const results = await copyAll(from, to, { points: [first, second] });
    expect(results).toMatchObject([{ outcome: "failed", error: { code: "E_NOT_FOUND" } }, { outcome: "copied" }]);
    expect(await expectWhole(runs, to, content)).toEqual([second.id]);
  });

  test("a run that holds the machine at the destination is not disturbed", async () => {
    const { from, runs } = await twoPointsIn(fromKind);
    const to = await newPlace(toKind);
    const wish = { runId: "backup", ifBusy: "refuse", clock: systemClock, signal: never } as const;
    const writer = await to.beginPoint(runs.platform.vm(), wish);
    const [result] = await copyAll(from, to);
    expect(result).toMatchObject({ outcome: "failed", error: { code: "E_LEASE_HELD" } });
    await writer.release();
    expect((await copyAll(from, to)).map(({ outcome }) => outcome)).toEqual(["copied", "copied"]);
  });
});

test.each(KINDS)(
  "from %s, the copy of the following point begins as a clone and writes only what differs",
  async (kind) => {
    const { from, first, second } = await twoPointsIn(kind);
    const images = new MemoryImageStore();
    await copyAll(from, pointsOn(images), { points: [first] });
    const calls: string[] = [];
    const to = pointsOn(new SteppedImageStore(images, (call) => calls.push(call)));
    const [result] = await copyAll(from, to, { points: [second] });
    const made = calls.filter((call) => /^(create|clone|write|zero|commit)$/.test(call));
    expect(new Set(made)).toEqual(new Set(["clone", "write", "zero", "commit"]));
    const blocks = kind === "coarse" ? 4 : 1;
    // Two blocks of data of one disk; blocks of the source may be larger.
    expect(made.filter((call) => call === "write").length).toBeLessThanOrEqual(2 * blocks);
    expect(made.filter((call) => call === "clone").length).toBe(2);
    // The block maps of a repository say what has changed; otherwise all data is read.
    const most = kind === "images" ? 40 * BLOCK_BYTES : 3 * blocks * BLOCK_BYTES;
    expect(result?.readBytes).toBeLessThanOrEqual(most);
    expect(result?.storedBytes).toBeLessThanOrEqual(2 * blocks * BLOCK_BYTES);
  },
);

test("an older point that is copied later shares with the one after it", async () => {
  const { from, first, second } = await twoPointsIn("images");
  const images = new MemoryImageStore();
  await copyAll(from, pointsOn(images), { points: [second] });
  const calls: string[] = [];
  await copyAll(from, pointsOn(new SteppedImageStore(images, (call) => calls.push(call))), { points: [first] });
  expect(calls).toContain("clone");
  expect(calls).not.toContain("create");
});

test("points with one origin are the same wherever they come from, and a place is not copied to itself", async () => {
  const { from, content, runs } = await twoPointsIn("encrypted");
  const images = new MemoryImageStore();
  await copyAll(from, pointsOn(images));
  const further = await newPlace("repository");
  await copyAll(pointsOn(images), further);
  expect((await copyAll(from, further)).map(({ outcome }) => outcome)).toEqual(["present", "present"]);
  await expectWhole(runs, further, content);
  await expect(copyAll(pointsOn(images), pointsOn(images))).rejects.toMatchObject({ code: "E_USAGE" });
});

test("a backup of the machine at the destination compares with the copy, and shares what is the same", async () => {
  const { from, runs, content } = await twoPointsIn("encrypted");
  const images = new MemoryImageStore();
  await copyAll(from, pointsOn(images));
  const to = pointsOn(images);
  runs.platform.checkpoints.clear();
  const point = await runs.backUp({ store: to });
  content.set(point.id, runs.now());
  expect(point.disks).toMatchObject([{ mode: "compared", stats: { storedBytes: 0 } }, { mode: "compared" }]);
  await expectWhole(runs, to, content);
});

test("a source of images that has lost data is not copied, and nothing of it is left at the destination", async () => {
  for (const kind of KINDS) {
    const site = await ImageSite.onImages({ a: disk, b: disk });
    const point = await site.backUp();
    const damaged = new DamagedImageStore(site.images);
    damaged.damage.set(site.store.points.keyOfImage(point, "b"), [7 * BLOCK_BYTES]);
    const to = await newPlace(kind);
    expect(await copyAll(pointsOn(damaged), to)).toMatchObject([{ outcome: "failed", error: { code: "E_INTEGRITY" } }]);
    expect((await to.points.list(never)).points).toEqual([]);
    expect(await imagesInVain(to)).toEqual([]);
  }
});

test("a point of images that is forgotten while it is copied is copied whole", async () => {
  const { from, first, content, runs } = await twoPointsIn("images");
  if (from.kind !== "images") throw new Error("the source has images");
  let forgotten = false;
  const racing = new SteppedImageStore(from.points.images, async (call) => {
    if (call !== "read" || forgotten) return;
    forgotten = true;
    await from.points.forget(first, never);
  });
  const to = await newPlace("repository");
  expect(await copyAll(pointsOn(racing), to, { points: [first] })).toMatchObject([{ outcome: "copied" }]);
  expect(await expectWhole(runs, to, content)).toEqual([first.id]);
});

test("no copy begins as an image that verify has found damaged, or that turns out to be while it is compared", async () => {
  for (const isKnown of [true, false]) {
    const { from, first, second, runs, content } = await twoPointsIn("images");
    const images = new MemoryImageStore();
    const damaged = new DamagedImageStore(images);
    const to = pointsOn(damaged);
    await copyAll(from, to, { points: [first] });
    damaged.damage.set(to.points.keyOfImage(first, "a"), [10]);
    if (isKnown) await verifyImages(to, { signal: never });
    expect(await copyAll(from, to, { points: [second] })).toMatchObject([{ outcome: "copied" }]);
    const copy = await to.points.find(second.id, never);
    expect(await runs.restore(copy, { store: to })).toEqual({ disks: content.get(second.id), lost: [] });
    expect(await imagesInVain(to)).toEqual([]);
  }
});

test("a copy in images that has lost data is copied again when it is forgotten there, as the error says", async () => {
  const { from, runs, content } = await twoPointsIn("repository");
  const to = pointsOn(new MemoryImageStore());
  const [first] = (await copyAll(from, to)).map(({ point }) => point);
  if (first === undefined) throw new Error("there are points");
  await to.points.images.delete(to.points.keyOfImage(first, "a"), { signal: never });
  const failure = { outcome: "failed", error: { code: "E_INTEGRITY", hint: expect.stringContaining("Forget it") } };
  for (const dryRun of [true, false])
    expect(await copyAll(from, to, { dryRun })).toMatchObject([failure, { outcome: "present" }]);
  await to.points.forget(first, never);
  expect((await copyAll(from, to)).map(({ outcome }) => outcome)).toEqual(["copied", "present"]);
  await expectWhole(runs, to, content);
});

test("what a copy in a repository lost comes back from images", async () => {
  const { from, runs, content } = await twoPointsIn("images");
  const to = await newPlace("repository");
  await copyAll(from, to);
  if (to.kind !== "repository") throw new Error("the destination is a repository");
  for await (const { key } of to.store.list("packs/", { signal: never })) {
    const [, , , , , , , , , kind] = await to.store.get(key, { signal: never });
    if (kind !== 1) continue;
    await to.store.delete(key, { signal: never });
    break;
  }
  await to.refresh(never);
  const outcomes = (await copyAll(from, to)).map(({ outcome }) => outcome);
  expect(outcomes).toContain("healed");
  await expectWhole(runs, to, content);
});

describe("a copy to images that dies", () => {
  test("at any call harms no point; the next copies all, and nothing is left", async () => {
    const { from, first, runs, content } = await twoPointsIn("encrypted");
    let failed = 0;
    for (let at = 1; ; at += 1) {
      const images = new MemoryImageStore();
      await copyAll(from, pointsOn(images), { points: [first] });
      let calls = 0;
      const gone = new SteppedImageStore(images, (call) => {
        calls += 1;
        if (calls >= at) throw new Error(`gone at ${call}`);
      });
      const results = await copyAll(from, pointsOn(gone), { process: dead }).catch(() => undefined);
      if (results?.every(({ error }) => error === undefined) !== true) failed += 1;
      expect(await expectWhole(runs, pointsOn(images), content)).toContain(first.id);
      const again = await copyAll(from, pointsOn(images));
      expect(again.map(({ error }) => error)).toEqual([undefined, undefined]);
      expect((await expectWhole(runs, pointsOn(images), content)).length).toBe(2);
      expect(await imagesInVain(pointsOn(images))).toEqual([]);
      if (calls < at) break;
    }
    expect(failed).toBeGreaterThan(20);
  });

  test("leaves images that the next backup of the machine removes, whichever store named the point", async () => {
    const { from, runs, second } = await twoPointsIn("encrypted");
    const images = new MemoryImageStore();
    const to = pointsOn(images);
    const vm = second.vm;
    const wish = {
      runId: "dead",
      process: dead,
      copyOf: second,
      ifBusy: "refuse",
      clock: systemClock,
      signal: never,
    } as const;
    const killed = await to.beginPoint(vm, wish);
    await killed.takeDisks([sourceOf(disk, { id: "a" })], takeOptions());
    expect(await imagesInVain(to)).toHaveLength(1);
    await runs.backUp({ store: to });
    expect(await imagesInVain(to)).toEqual([]);
    await expect(killed.seal({ ...second, id: killed.id })).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    await killed.release();
    // The dead one can never seal it under this name.
    expect(await copyAll(from, to, { points: [second] })).toMatchObject([
      { copyId: `${second.id}-copy2`, outcome: "copied" },
    ]);
    expect(await copyAll(from, to, { points: [second] })).toMatchObject([{ outcome: "present" }]);
    expect(await imagesInVain(to)).toEqual([]);
  });

  test("in its seal may arrive late: then it is not there, and has no images", async () => {
    const { from, second, runs, content } = await twoPointsIn("repository");
    const images = new MemoryImageStore();
    const stuck = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const late = new SteppedImageStore(images, async (call) => {
      if (!call.startsWith("put points/")) return;
      reached.resolve();
      await stuck.promise;
    });
    const copying = copyAll(from, pointsOn(late), { points: [second], process: dead });
    await reached.promise;
    const to = pointsOn(images);
    expect(await copyAll(from, to, { points: [second] })).toMatchObject([{ copyId: `${second.id}-copy2` }]);
    stuck.resolve();
    expect(await copying).toMatchObject([{ outcome: "failed", error: { code: "E_LEASE_LOST" } }]);
    expect(await expectWhole(runs, to, content)).toEqual([second.id]);
    await runs.backUp({ store: to });
    expect(await imagesInVain(to)).toEqual([]);
  });
});
