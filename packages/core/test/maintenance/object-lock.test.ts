import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { prune, Repository } from "@ovault/core";
import { HoldingStore, keysOf } from "@ovault/testkit";

import { packKey } from "../../src/format/layout.ts";
import { newKeyFile, smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { GatedStore } from "./support/gated-store.ts";
import { brokenPoints } from "@ovault/test-support/repository/inspect-blocks";
import { hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

const HOUR_MS = 60 * 60 * 1000;

let site: BlockSite;
beforeEach(async () => {
  site = await BlockSite.open();
});
afterEach(() => site.close());

describe("object lock", () => {
  test("holds what is deleted until it ends, which is reported and is no failure", async () => {
    const own = await BlockSite.open(new HoldingStore());
    await own.forget(await own.backUp({ blocks: [1, 2, 3] }));
    const until = new Date(Date.now() + HOUR_MS);
    const keys = [...(await keysOf(own.store, "packs/")), ...(await keysOf(own.store, "points/"))];
    for (const key of keys)
      if (!key.endsWith(".forgotten")) await own.store.retention.extend(key, until, { signal: never });
    const report = await own.prune();
    expect(report).toMatchObject({ freedPacks: 0, lockedUntil: until.toISOString(), condemnedPacks: 0 });
    expect(report.lockedPacks).toBe((await keysOf(own.store, "packs/")).length);
    expect(await own.visible()).toEqual([]);
    // What is decided stays so: nothing new relies on it.
    await own.backUp({ blocks: [1, 2, 3], vm: "vm-2" });
    expect(await own.prune()).toMatchObject({ lockedPacks: report.lockedPacks });
    expect(await brokenPoints(own.store)).toEqual([]);
    await own.close();
  });

  test("is extended for what points need before half of its time is over, one call each in that time", async () => {
    const own = await BlockSite.open(new HoldingStore());
    await own.backUp({ blocks: [1, 2, 3] });
    const needed = [
      ...(await keysOf(own.store, "packs/")),
      ...(await keysOf(own.store, "points/")),
      "ovault-repository",
    ];
    const lockDays = 10;
    const pruneAfter = async (hours: number) => await own.prune({ clock: hoursLater(hours), lockDays });
    expect((await pruneAfter(0)).extendedLocks).toBe(needed.length);
    const heldUntil = async (key: string) =>
      (await own.store.retention.heldUntil(key, { signal: never }))?.getTime() ?? 0;
    for (const key of needed) expect(await heldUntil(key)).toBeGreaterThan(Date.now() + 9 * 24 * HOUR_MS);
    // The settings alone.
    expect((await pruneAfter(4 * 24)).extendedLocks).toBe(1);
    expect(await heldUntil("ovault-repository")).toBeGreaterThan(Date.now() + 13 * 24 * HOUR_MS);
    expect((await pruneAfter(6 * 24)).extendedLocks).toBe(needed.length);
    for (const key of needed) expect(await heldUntil(key)).toBeGreaterThan(Date.now() + 15 * 24 * HOUR_MS);
    // A forged record says that it was done.
    const liar = await BlockSite.open(new HoldingStore());
    await liar.backUp({ blocks: [1, 2, 3] });
    for (const [key, bytes] of own.store.objects) if (key.startsWith("extensions/")) liar.store.objects.set(key, bytes);
    expect((await liar.prune({ clock: hoursLater(6 * 24), lockDays })).extendedLocks).toBeGreaterThan(0);
    await Promise.all([own.close(), liar.close()]);
  });

  test("is extended for what is needed again after it was condemned", async () => {
    const own = await BlockSite.open(new HoldingStore());
    const old = await own.backUp({ blocks: [1, 2, 3] });
    await own.prune({ lockDays: 10 });
    await own.forget(old);
    const place = new GatedStore(own.store);
    const stopped = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
    const running = own.backUp({ blocks: [1, 2, 4], vm: "vm-2" }, place);
    await stopped.reached;
    await own.prune({ lockDays: 10 });
    stopped.release();
    await running;
    // As if the run had locked what it put.
    const until = new Date(Date.now() + 10 * 24 * HOUR_MS);
    for (const key of [...(await keysOf(own.store, "packs/")), ...(await keysOf(own.store, "points/"))]) {
      if (!key.endsWith(".forgotten")) await own.store.retention.extend(key, until, { signal: never });
    }
    const report = await own.prune({ lockDays: 10, clock: hoursLater(4 * 24) });
    expect(report.reprievedPacks).toBeGreaterThan(0);
    for (const { name, state } of (await own.repository()).index.packs) {
      if (state !== "usable") continue;
      const held = await own.store.retention.heldUntil(packKey(name), { signal: never });
      expect(held?.getTime()).toBeGreaterThan(Date.now() + 13 * 24 * HOUR_MS);
    }
    await own.close();
  });

  test("is extended for keys by every prune: without them no point can be read", async () => {
    const store = new HoldingStore();
    const secret = newKeyFile();
    await smallEncrypted(store, secret);
    const repository = await Repository.open(store, { secret, lockDays: 10, signal: never });
    for (const days of [0, 3, 6, 9]) {
      await prune(repository, { clock: hoursLater(24 * days), signal: never });
      for (const key of ["ovault-repository", ...(await keysOf(store, "keys/"))]) {
        const until = (await store.retention.heldUntil(key, { signal: never }))?.getTime() ?? 0;
        expect(until).toBeGreaterThan(Date.now() + (days + 9.9) * 24 * HOUR_MS);
      }
    }
  });

  test("costs nothing where the store has none, or new objects are not locked", async () => {
    await site.backUp({ blocks: [1] });
    expect((await site.prune({ lockDays: 10 })).extendedLocks).toBe(0);
    const own = await BlockSite.open(new HoldingStore());
    await own.backUp({ blocks: [1] });
    expect((await own.prune()).extendedLocks).toBe(0);
    await own.close();
  });
});
