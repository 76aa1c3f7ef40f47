import { expect, test } from "vitest";

import { CancelledError, processIdentity, type RunHooks, StoreFullError, systemClock } from "@ovault/contract";
import { never } from "@ovault/test-support/repository/take-point";
import { applyChanges, sourceOf } from "@ovault/testkit";

import { BLOCK_BYTES, ImageSite, pointsOn, takeOptions } from "./support/image-site.ts";
import { SteppedImageStore } from "./support/stepped-image-store.ts";

const disk = {
  bytes: Uint8Array.from({ length: 8 * BLOCK_BYTES }, (_, at) => 1 + ((at >> 4) % 250)),
  extents: [{ offset: 0, length: 8 * BLOCK_BYTES, kind: "data" as const }],
};
const changed = applyChanges(disk, { changes: [{ at: 0.5, length: 900, seed: 7 }], grownBy: 0 });

/** Of a process that has ended. */
const dead = { ...processIdentity(), startTicks: 1 };

/** The image store from the k-th call on gone for good; `calls` counts. */
class GoneAt {
  calls = 0;
  readonly store: SteppedImageStore;

  constructor(site: ImageSite, at: number) {
    this.store = new SteppedImageStore(site.images, (call) => {
      this.calls += 1;
      if (this.calls >= at) throw new Error(`gone at ${call}`);
    });
  }
}

/** Runs `work` with a store that is gone at its first call, its second, and so on, until it gets through. */
async function atEachCall(work: (at: number) => Promise<{ readonly gone: GoneAt; readonly outcome: string }>) {
  let failed = 0;
  for (let at = 1; ; at += 1) {
    const { gone, outcome } = await work(at);
    if (outcome === "failed") failed += 1;
    if (gone.calls < at) return failed;
  }
}

const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    () => "failed",
  );

test("a store that is gone at any call of a run costs no earlier point, and the next run removes what was left", async () => {
  const failed = await atEachCall(async (at) => {
    const site = await ImageSite.onImages({ a: disk, b: disk });
    const first = await site.backUp();
    const before = site.now();
    site.platform.disks.set("a", changed);
    const gone = new GoneAt(site, at);
    const outcome = await outcomeOf(site.backUp({ store: pointsOn(gone.store), process: dead }));
    expect((await site.restore(first)).disks).toEqual(before);
    const { points } = await site.store.points.list(never);
    for (const point of points.slice(1)) expect((await site.restore(point)).disks).toEqual(site.now());
    const next = await site.backUp();
    expect((await site.restore(next)).disks).toEqual(site.now());
    expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
    return { gone, outcome };
  });
  expect(failed).toBeGreaterThan(10);
});

test("a store that is gone at any call of a forget leaves a whole point or none, and the next run removes the rest", async () => {
  const failed = await atEachCall(async (at) => {
    const site = await ImageSite.onImages({ a: disk, b: disk });
    const first = await site.backUp();
    const disks = site.now();
    const gone = new GoneAt(site, at);
    const outcome = await outcomeOf(pointsOn(gone.store).points.forget(first, never));
    const { points } = await site.store.points.list(never);
    for (const point of points) expect((await site.restore(point)).disks).toEqual(disks);
    expect([outcome, points.length]).not.toEqual(["done", 1]);
    await site.backUp();
    expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
    const manifests = [...site.images.objects.objects.keys()].filter((key) => key.startsWith("points/"));
    expect(manifests.length).toBe((await site.store.points.list(never)).points.length);
    return { gone, outcome };
  });
  expect(failed).toBeGreaterThan(4);
});

test("a store that does not show a new manifest yet costs its point no image", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const point = await site.backUp();
  const key = site.store.points.keyOf(point);
  const { objects } = site.images.objects;
  const manifest = objects.get(key);
  if (manifest === undefined) throw new Error("the point has a manifest");
  objects.delete(key);
  const images = new SteppedImageStore(site.images, (call) => {
    if (call === `put ${key}`) objects.set(key, manifest);
  });
  await site.backUp({ store: pointsOn(images) });
  expect((await site.restore(point)).disks).toEqual(site.now());
});

/** The image store of a site as long as it is full: it stores nothing before something is deleted. */
function fullUntilDeletion(site: ImageSite): SteppedImageStore {
  let full = true;
  return new SteppedImageStore(site.images, (call) => {
    if (call.startsWith("delete")) full = false;
    if (full && call.startsWith("put ")) throw new StoreFullError("no space left");
  });
}

test("a full store has room for a forget, and for a run that finds what a dead one left", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const first = await site.backUp();
  await pointsOn(fullUntilDeletion(site)).points.forget(first, never);
  expect(await site.keysOfImages()).toEqual([]);
  const wish = { runId: "dead", process: dead, ifBusy: "refuse", clock: systemClock, signal: never } as const;
  const killed = await site.store.beginPoint(site.platform.vm(), wish);
  await killed.takeDisks([sourceOf(disk, { id: "a" })], takeOptions());
  const point = await site.backUp({ store: pointsOn(fullUntilDeletion(site)) });
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
  expect((await site.restore(point)).disks).toEqual(site.now());
  await killed.release();
});

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

test("a run that is cancelled, or whose point is refused, removes its images at once", async () => {
  const site = await ImageSite.onImages({ a: disk, b: disk });
  await expect(site.backUp({ taps: [veto] })).rejects.toThrow("vetoed");
  const controller = new AbortController();
  site.platform.step = (name) => {
    if (name === "close complete") controller.abort(new CancelledError("Ctrl-C"));
  };
  await expect(site.backUp({ signal: controller.signal })).rejects.toMatchObject({ code: "E_CANCELLED" });
  expect(await site.keysOfImages()).toEqual([]);
});

test("disks can be taken again after one of them failed, and another was stored", async () => {
  const site = await ImageSite.onImages({ a: disk, b: disk });
  const wish = { runId: "own", ifBusy: "refuse", clock: systemClock, signal: never } as const;
  const writer = await site.store.beginPoint(site.platform.vm(), wish);
  const stored = Promise.withResolvers<void>();
  const good = Object.assign(sourceOf(disk, { id: "a" }), { release: async () => stored.resolve() });
  const onRead = async (): Promise<void> => {
    await stored.promise;
    throw new Error("planned");
  };
  const bad = sourceOf(disk, { id: "b", maxReads: 1, onRead });
  await expect(writer.takeDisks([good, bad], takeOptions())).rejects.toThrow("planned");
  expect((await site.keysOfImages()).length).toBe(1);
  const records = await writer.takeDisks([good, sourceOf(disk, { id: "b" })], takeOptions());
  expect(records.map((record) => record.disk.id)).toEqual(["a", "b"]);
  await writer.release();
});

test("a run that was replaced while it was silent can seal no more, and its images go", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const wish = { ifBusy: "refuse", clock: systemClock, signal: never } as const;
  const silent = await site.store.beginPoint(site.platform.vm(), { runId: "silent", process: dead, ...wish });
  const disks = await silent.takeDisks([sourceOf(disk, { id: "a" })], takeOptions());
  const point = await site.backUp();
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
  await silent.takeDisks([sourceOf(disk, { id: "a" })], takeOptions());
  await expect(silent.seal({ ...point, id: silent.id, disks })).rejects.toMatchObject({ code: "E_LEASE_LOST" });
  await silent.release();
  const { points } = await site.store.points.list(never);
  expect(points).toEqual([point]);
  await site.backUp();
  expect(await site.keysOfImages()).toEqual(await site.keysOfPoints());
});

test("a run leaves alone what a run of another manager stores at the same time for a machine with the same id", async () => {
  const site = await ImageSite.onImages({ a: disk });
  const vm = { ...site.platform.vm(), manager: "other" };
  const wish = { runId: "other", ifBusy: "refuse", clock: systemClock, signal: never } as const;
  const other = await site.store.beginPoint(vm, wish);
  const disks = await other.takeDisks([sourceOf(changed, { id: "a" })], takeOptions());
  const point = await site.backUp();
  await other.seal({ ...point, id: other.id, vm, disks });
  await other.release();
  const sealed = await site.store.points.find(other.id, never);
  expect((await site.restore(sealed)).disks).toEqual({ a: changed.bytes });
});

test("a manifest that is damaged keeps its images", async () => {
  const site = await ImageSite.onImages({ a: disk });
  await site.backUp();
  const { objects } = site.images.objects;
  for (const [key, bytes] of objects) if (key.startsWith("points/")) objects.set(key, bytes.slice(0, -1));
  const [image] = await site.keysOfImages();
  const point = await site.backUp();
  expect(point.warnings).toEqual([expect.stringContaining("is damaged and cannot be a base")]);
  expect(await site.keysOfImages()).toContain(image);
});
