import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { keysOf } from "@ovault/testkit";

import { GatedStore } from "./support/gated-store.ts";
import { brokenPoints, garbage } from "./support/inspect.ts";
import { ALL, hoursLater, Yard } from "./support/yard.ts";

const HOUR_MS = 60 * 60 * 1000;

let yard: Yard;
beforeEach(async () => {
  yard = await Yard.open();
});
afterEach(() => yard.close());

describe("a backup beside prune", () => {
  test("keeps what it may rely on from being deleted, and prune says which run that is", async () => {
    const old = await yard.backUp({ blocks: [1, 2, 3] });
    await yard.forget(old);
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = yard.backUp({ blocks: [1, 2, 4], vm: "vm-2" }, place);
    await stopped.reached;
    const held = await yard.prune();
    expect(held).toMatchObject({ freedPacks: 0, heldBy: [{ node: expect.any(String), resource: /^vm-/ }] });
    expect(held.condemnedPacks).toBeGreaterThan(0);
    stopped.release();
    await running;
    const after = await yard.prune();
    expect(after.heldBy).toEqual([]);
    expect(after.reprievedPacks).toBeGreaterThan(0);
    expect(await brokenPoints(yard.store)).toEqual([]);
  });

  test("that starts after prune has condemned something does not rely on it, and blocks nothing", async () => {
    const old = await yard.backUp({ blocks: [1, 2, 3] });
    await yard.forget(old);
    await yard.prune({ graceMs: HOUR_MS });
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = yard.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect(await yard.prune()).toMatchObject({ heldBy: [], condemnedPacks: 0 });
    stopped.release();
    await running;
    expect(await brokenPoints(yard.store)).toEqual([]);
  });

  test("that stood still until prune took its place can seal nothing, in whatever moment it wakes", async () => {
    await yard.forget(await yard.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = yard.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect(await yard.prune({ clock: hoursLater(1) })).toMatchObject({ heldBy: [] });
    expect(await keysOf(yard.store, "packs/")).toEqual([]);
    stopped.release();
    await expect(running).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    expect(await yard.visible()).toEqual([]);
  });

  test("whose index object comes after its packs were pruned leads no other run astray", async () => {
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("index/"));
    const running = yard.backUp({ blocks: [1, 2, 3] }, place);
    await stopped.reached;
    await yard.prune({ clock: hoursLater(1) });
    expect(await keysOf(yard.store, "packs/")).toEqual([]);
    stopped.release();
    await expect(running).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    expect(await keysOf(yard.store, "index/")).toHaveLength(1);
    await yard.backUp({ blocks: [1, 2, 3], vm: "vm-2" });
    expect(await brokenPoints(yard.store)).toEqual([]);
    await yard.prune();
    expect(await garbage(yard.store)).toEqual([]);
    expect(await brokenPoints(yard.store)).toEqual([]);
  });

  test("keeps the point it builds on, though that is forgotten and holds what was condemned before it was sealed", async () => {
    await yard.forget(await yard.backUp({ blocks: [1, 2, 3] }));
    // It relies on what only the forgotten point had, and does not know that prune condemns it meanwhile.
    const place = new GatedStore(yard.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const relying = yard.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect((await yard.prune()).condemnedPacks).toBeGreaterThan(0);
    stopped.release();
    const base = await relying;
    // The next run knows what is condemned, and takes blocks over that lie there.
    const second = new GatedStore(yard.store);
    const sealing = second.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const building = yard.backUp({ blocks: [1, 2, 4], vm: "vm-2" }, second);
    await sealing.reached;
    await yard.forget(base);
    await yard.prune();
    sealing.release();
    const { id } = await building;
    expect(await yard.visible()).toEqual([id]);
    expect(await brokenPoints(yard.store)).toEqual([]);
    await yard.prune({ repack: ALL });
    expect(await garbage(yard.store)).toEqual([]);
  });
});

describe("two prunes at once", () => {
  test("pass one verdict between them, whoever of them stood still", async () => {
    await yard.forget(await yard.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(yard.store);
    const sealing = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const relying = yard.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await sealing.reached;
    await yard.prune();
    sealing.release();
    const point = await relying;
    // Both look at the same condemned packs: one before the point is forgotten that needs them, one after.
    const slow = new GatedStore(yard.store);
    const looking = slow.stopAt(({ kind, key }) => kind === "list" && key === "points/");
    const first = yard.prune({}, slow);
    await looking.reached;
    expect((await yard.prune({ clock: hoursLater(1) })).reprievedPacks).toBeGreaterThan(0);
    const third = new GatedStore(yard.store);
    const building = third.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const last = yard.backUp({ blocks: [1, 2, 3], vm: "vm-3" }, third);
    await building.reached;
    await yard.forget(point);
    looking.release();
    await first;
    building.release();
    await last;
    expect(await brokenPoints(yard.store)).toEqual([]);
  });
});
