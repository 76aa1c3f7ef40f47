import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { keysOf } from "@ovault/testkit";
import { brokenPoints, garbage } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

import { GatedStore } from "./support/gated-store.ts";

const HOUR_MS = 60 * 60 * 1000;

let site: BlockSite;
beforeEach(async () => {
  site = await BlockSite.open();
});
afterEach(() => site.close());

describe("a backup beside prune", () => {
  test("keeps what it may rely on from being deleted, and prune says which run that is", async () => {
    const old = await site.backUp({ blocks: [1, 2, 3] });
    await site.forget(old);
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = site.backUp({ blocks: [1, 2, 4], vm: "vm-2" }, place);
    await stopped.reached;
    const held = await site.prune();
    expect(held).toMatchObject({ freedPacks: 0, heldBy: [{ node: expect.any(String), resource: /^vm-/ }] });
    expect(held.condemnedPacks).toBeGreaterThan(0);
    stopped.release();
    await running;
    const after = await site.prune();
    expect(after.heldBy).toEqual([]);
    expect(after.reprievedPacks).toBeGreaterThan(0);
    expect(await brokenPoints(site.store)).toEqual([]);
  });

  test("that starts after prune has condemned something does not rely on it, and blocks nothing", async () => {
    const old = await site.backUp({ blocks: [1, 2, 3] });
    await site.forget(old);
    await site.prune({ graceMs: HOUR_MS });
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = site.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect(await site.prune()).toMatchObject({ heldBy: [], condemnedPacks: 0 });
    stopped.release();
    await running;
    expect(await brokenPoints(site.store)).toEqual([]);
  });

  test("that stood still until prune took its place can seal nothing, in whatever moment it wakes", async () => {
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = site.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect(await site.prune({ clock: hoursLater(1) })).toMatchObject({ heldBy: [] });
    expect(await keysOf(site.store, "packs/")).toEqual([]);
    stopped.release();
    await expect(running).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    expect(await site.visible()).toEqual([]);
  });

  test("whose index object comes after its packs were pruned leads no other run astray", async () => {
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("index/"));
    const running = site.backUp({ blocks: [1, 2, 3] }, place);
    await stopped.reached;
    await site.prune({ clock: hoursLater(1) });
    expect(await keysOf(site.store, "packs/")).toEqual([]);
    stopped.release();
    await expect(running).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    expect(await keysOf(site.store, "index/")).toHaveLength(1);
    await site.backUp({ blocks: [1, 2, 3], vm: "vm-2" });
    expect(await brokenPoints(site.store)).toEqual([]);
    await site.prune();
    expect(await garbage(site.store)).toEqual([]);
    expect(await brokenPoints(site.store)).toEqual([]);
  });

  test("keeps the point it builds on, though that is forgotten and holds what was condemned before it was sealed", async () => {
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    // It relies on what only the forgotten point had, and does not know that prune condemns it meanwhile.
    const place = new GatedStore(site.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const relying = site.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await stopped.reached;
    expect((await site.prune()).condemnedPacks).toBeGreaterThan(0);
    stopped.release();
    const base = await relying;
    // The next run knows what is condemned, and takes blocks over that lie there.
    const second = new GatedStore(site.store);
    const sealing = second.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const building = site.backUp({ blocks: [1, 2, 4], vm: "vm-2" }, second);
    await sealing.reached;
    await site.forget(base);
    await site.prune();
    sealing.release();
    const { id } = await building;
    expect(await site.visible()).toEqual([id]);
    expect(await brokenPoints(site.store)).toEqual([]);
    await site.prune({ repack: ALL });
    expect(await garbage(site.store)).toEqual([]);
  });
});

describe("two prunes at once", () => {
  test("pass one verdict between them, whichever of them was suspended", async () => {
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const place = new GatedStore(site.store);
    const sealing = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const relying = site.backUp({ blocks: [1, 2, 3], vm: "vm-2" }, place);
    await sealing.reached;
    await site.prune();
    sealing.release();
    const point = await relying;
    // Both look at the same condemned packs: one before the point is forgotten that needs them, one after.
    const slow = new GatedStore(site.store);
    const looking = slow.stopAt(({ kind, key }) => kind === "list" && key === "points/");
    const first = site.prune({}, slow);
    await looking.reached;
    expect((await site.prune({ clock: hoursLater(1) })).reprievedPacks).toBeGreaterThan(0);
    const third = new GatedStore(site.store);
    const building = third.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const last = site.backUp({ blocks: [1, 2, 3], vm: "vm-3" }, third);
    await building.reached;
    await site.forget(point);
    looking.release();
    await first;
    building.release();
    await last;
    expect(await brokenPoints(site.store)).toEqual([]);
  });
});
