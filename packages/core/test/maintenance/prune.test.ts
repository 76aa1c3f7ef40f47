import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CancelledError, type Clock, type DiskRecord, type RecoveryPoint } from "@ovault/contract";
import { prune, repairRepository, Repository } from "@ovault/core";
import { FaultyStore, HoldingStore, keysOf, listed, type MemoryStore } from "@ovault/testkit";

import { encodePage } from "../../src/repository/block-map/block-map-page.ts";
import { packKey } from "../../src/format/layout.ts";
import { ENTRY_BYTES } from "../../src/repository/packs/pack-entries.ts";
import { TRAILER_BYTES } from "../../src/repository/packs/pack-format.ts";
import { fromHex, toHex } from "../../src/util/hex.ts";
import { newKeyFile, smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { BLOCK_BYTES, blockDisk } from "@ovault/test-support/repository/block-disk";
import { GatedStore } from "./support/gated-store.ts";
import { brokenPoints, garbage } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, copyOf, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

const HOUR_MS = 60 * 60 * 1000;

let site: BlockSite;
beforeEach(async () => {
  site = await BlockSite.open();
});
afterEach(() => site.close());

function harmed(object: Uint8Array, at: number): Uint8Array {
  return object.map((byte, position) => (position === at ? byte ^ 1 : byte));
}

/** Every chunk in all packs of a kind: 1 of blocks, 2 of pages. */
function harmPacks(store: MemoryStore, kind: number): void {
  for (const [key, object] of store.objects) {
    if (!key.startsWith("packs/") || object[9] !== kind) continue;
    const chunks = object.subarray(0, -TRAILER_BYTES - 2 * ENTRY_BYTES);
    store.objects.set(
      key,
      Uint8Array.from(object, (byte, at) => (at % 64 === 20 && at < chunks.length ? byte ^ 1 : byte)),
    );
  }
}

async function packs(): Promise<readonly string[]> {
  return await keysOf(site.store, "packs/");
}

function diskIn(point: RecoveryPoint): DiskRecord {
  const [record] = point.disks;
  if (record === undefined) throw new Error("the point has no disk");
  return record;
}

async function broken(): Promise<readonly string[]> {
  return await brokenPoints(site.store);
}

const someBlocks = fc.array(fc.nat(6), { minLength: 1, maxLength: 6 });

describe("what prune frees", () => {
  test("is everything that no point needs, whatever was taken and forgotten", async () => {
    const runs = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2"), blocks: someBlocks, full: fc.boolean() }), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(runs, fc.infiniteStream(fc.boolean()), async (taken, going) => {
        const own = await BlockSite.open();
        for (const run of taken) {
          const point = await own.backUp(run);
          if (going.next().value) await own.forget(point);
        }
        const before = (await listed(own.store, "packs/")).reduce((sum, { bytes }) => sum + bytes, 0);
        const report = await own.prune({ repack: ALL });
        const after = (await listed(own.store, "packs/")).reduce((sum, { bytes }) => sum + bytes, 0);
        expect(await brokenPoints(own.store)).toEqual([]);
        expect(await garbage(own.store)).toEqual([]);
        expect(report.keptBytes).toBe(after);
        // What was copied lies in packs with a header and a directory of their own.
        expect(before - report.freedBytes).toBeLessThanOrEqual(after);
        expect(before - report.freedBytes === after).toBe(report.copiedBytes === 0);
        expect(await own.prune({ repack: ALL })).toMatchObject({ freedPacks: 0, copiedBytes: 0, keptBytes: after });
        await own.close();
      }),
      { numRuns: 25 },
    );
  });

  test("is what killed runs left, listed or not", async () => {
    const point = await site.backUp({ blocks: [1, 2] });
    const counting = new FaultyStore(site.store, { call: Infinity, when: "before" });
    await site.backUp({ blocks: [3, 4, 5], vm: "vm-2" }, counting);
    await site.forget(
      ...(await (await site.repository()).points.list(never)).points.filter(({ id }) => id !== point.id),
    );
    await site.prune({ repack: ALL });
    const kept = await packs();
    for (let call = 1; call <= counting.calls; call += 1) {
      const dying = new FaultyStore(site.store, { call, when: "after", forGood: true });
      await site.backUp({ blocks: [6, 7, 8], vm: "vm-3" }, dying).catch(() => undefined);
      // The run is silent, as one that was killed.
      await site.prune({ clock: hoursLater(1) });
      const { points } = await (await site.repository()).points.list(never);
      await site.forget(...points.filter(({ vm }) => vm.id === "vm-3"));
      await site.prune({ clock: hoursLater(2) });
      expect(await packs()).toEqual(kept);
    }
    expect(await broken()).toEqual([]);
  });

  test("is nothing as long as the grace time lasts, and a clock that was set back makes it longer", async () => {
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const graceMs = 24 * HOUR_MS;
    const first = await site.prune({ graceMs });
    expect(first).toMatchObject({ freedPacks: 0, condemnedPacks: (await packs()).length });
    expect(Date.parse(first.graceUntil ?? "")).toBeGreaterThan(Date.now() + 23 * HOUR_MS);
    for (const hours of [23, -48, 12]) {
      expect(await site.prune({ graceMs, clock: hoursLater(hours) })).toMatchObject({ freedPacks: 0 });
    }
    expect(await site.prune({ graceMs, clock: hoursLater(25) })).toMatchObject({ condemnedPacks: 0, graceUntil: null });
    expect(await packs()).toEqual([]);
  });

  test("is reported by a dry run, which changes nothing", async () => {
    const first = await site.backUp({ blocks: [1, 2, 3, 4] });
    await site.backUp({ blocks: [1, 5, 6, 7] });
    await site.forget(first);
    const before = new Map(site.store.objects);
    const told = await site.prune({ dryRun: true });
    expect(site.store.objects).toEqual(before);
    const done = await site.prune({ graceMs: HOUR_MS });
    expect(told).toMatchObject({ dryRun: true, condemnedPacks: done.condemnedPacks, freedPacks: 0 });
    const ripe = await site.prune({ dryRun: true });
    expect(ripe).toMatchObject({ freedPacks: done.condemnedPacks, condemnedPacks: 0 });
    expect((await site.prune()).freedBytes).toBe(ripe.freedBytes);
  });
});

describe("a dry run", () => {
  test("tells what a prune would free and copy, whatever there is to do, and waits for nothing", async () => {
    const runs = fc.array(fc.record({ vm: fc.constantFrom("vm-1", "vm-2"), blocks: someBlocks }), {
      minLength: 1,
      maxLength: 5,
    });
    const patient: Clock = { ...hoursLater(2), sleep: () => Promise.reject(new Error("a dry run slept")) };
    await fc.assert(
      fc.asyncProperty(runs, fc.infiniteStream(fc.boolean()), async (taken, chosen) => {
        const own = await BlockSite.open();
        for (const run of taken) {
          const point = await own.backUp(run);
          if (chosen.next().value) await own.forget(point);
          if (chosen.next().value) await own.prune({ graceMs: HOUR_MS });
        }
        const dying = new FaultyStore(own.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
        if (chosen.next().value) await own.backUp({ blocks: [7, 8, 9], vm: "vm-3" }, dying).catch(() => undefined);
        const options = { graceMs: HOUR_MS, repack: ALL };
        const told = await own.prune({ ...options, dryRun: true, clock: patient });
        const done = await own.prune({ ...options, clock: hoursLater(2) });
        // Index and points change meanwhile, and what was copied is there twice.
        const { keptPacks: _, keptBytes: __, graceUntil: ___, ...rest } = told;
        // What one verdict spares may help the next one, which only a real prune sees.
        expect(done).toMatchObject(told.reprievedPacks > 0 ? {} : { ...rest, dryRun: false });
        expect(done.freedBytes).toBeGreaterThanOrEqual(told.freedBytes);
        await own.close();
      }),
      { numRuns: 15 },
    );
  });

  test("knows what the store will not let go", async () => {
    const own = await BlockSite.open(new HoldingStore());
    await own.forget(await own.backUp({ blocks: [1, 2, 3] }));
    await own.prune({ graceMs: HOUR_MS });
    const until = new Date(Date.now() + 9 * HOUR_MS);
    for (const key of await keysOf(own.store, "packs/"))
      await own.store.retention.extend(key, until, { signal: never });
    const told = { freedBytes: 0, lockedUntil: until.toISOString(), condemnedPacks: 0, deletedPoints: 1 };
    expect(await own.prune({ dryRun: true })).toMatchObject(told);
    const done = await own.prune();
    expect(done).toMatchObject(told);
    // Decided by now; nothing but the locks is in the way.
    const { lockedBytes } = done;
    expect(await own.prune({ dryRun: true })).toMatchObject({ lockedBytes, freedBytes: 0 });
    const later = { graceMs: HOUR_MS, clock: hoursLater(10) };
    expect(await own.prune({ ...later, dryRun: true })).toMatchObject({ lockedBytes: 0, freedBytes: lockedBytes });
    await own.close();
  });
});

describe("packs that are mostly dead", () => {
  test("are emptied under a budget, those first that free most for it, and their chunks are not changed", async () => {
    // Packs of two blocks each; of three of them one block stays needed, of one both.
    const old = await site.backUp({ blocks: [1, 2, 3, 4, 5, 6, 7, 8] });
    await site.backUp({ blocks: [1, 3, 5, 7, 8], vm: "vm-2" });
    await site.forget(old);
    const budget = await site.prune({ repack: { minDeadShare: 0.4, budgetBytes: 2 * BLOCK_BYTES } });
    expect(budget).toMatchObject({ repackedPacks: 2, copiedBytes: 2 * BLOCK_BYTES });
    expect(await broken()).toEqual([]);
    const rest = await site.prune({ repack: { minDeadShare: 0.4, budgetBytes: 1e6 } });
    expect(rest).toMatchObject({ repackedPacks: 1, copiedBytes: BLOCK_BYTES });
    expect(await broken()).toEqual([]);
    expect(await site.prune({ repack: { minDeadShare: 0.4, budgetBytes: 1e6 } })).toMatchObject({ repackedPacks: 0 });
  });

  test("stay when what lives in them cannot be read", async () => {
    const old = await site.backUp({ blocks: [1, 2] });
    await site.backUp({ blocks: [1, 9], vm: "vm-2" });
    await site.forget(old);
    harmPacks(site.store, 1);
    const report = await site.prune({ repack: ALL });
    expect(report.repackedPacks).toBe(0);
    expect(await site.prune({ repack: ALL })).toMatchObject({ freedPacks: 0 });
  });

  test("are read by those who know only the old places, as soon as these are gone", async () => {
    const old = await site.backUp({ blocks: [1, 2] });
    const point = await site.backUp({ blocks: [1, 9], vm: "vm-2" });
    const reader = await site.repository();
    await site.forget(old);
    expect(await site.prune({ repack: ALL })).toMatchObject({ repackedPacks: 1 });
    expect(await restoredBytes(reader, point)).toEqual(blockDisk([1, 9]).bytes);
  });
});

describe("what prune does not touch", () => {
  test("is the last good copy of a chunk: a copy goes only when another one was read", async () => {
    const point = await site.backUp({ blocks: [1, 2] });
    // A backup that does not know of it stores the same again.
    const repository = await site.repository();
    const writer = repository.writer(never, ["data"]);
    const map = await repository.openMap(point, diskIn(point), never);
    for (const id of await map.leaf(0, never)) {
      if (id !== null) await writer.store("data", id, await repository.chunks.load(id, never));
    }
    await writer.finish();
    const copies = (await packs()).filter((key) => site.store.objects.get(key)?.[9] === 1);
    expect(copies).toHaveLength(2);
    for (const bad of copies) {
      const own = copyOf(site);
      own.store.objects.set(bad, harmed(own.store.objects.get(bad) ?? new Uint8Array(), 20));
      await own.prune({ repack: ALL });
      await own.prune({ repack: ALL });
      expect(await brokenPoints(own.store)).toEqual([]);
    }
    await site.prune({ repack: ALL });
    expect(await garbage(site.store)).toEqual([]);
    expect(await broken()).toEqual([]);
  });

  test("is anything, when the needs of a point are unknown; and the error says what to do", async () => {
    await site.forget(await site.backUp({ blocks: [1, 2, 3] }));
    const point = await site.backUp({ blocks: [4, 5, 6], vm: "vm-2" });
    const manifest = (await site.repository()).points.keyOf(point);
    const harms: readonly (readonly [harm: (store: MemoryStore) => void, incomplete: readonly string[]])[] = [
      [(store) => store.objects.set(manifest, harmed(store.objects.get(manifest) ?? new Uint8Array(), 200)), []],
      // What was below the pages is needed until a person says otherwise.
      [(store) => harmPacks(store, 2), [point.id]],
    ];
    for (const [harm, incomplete] of harms) {
      const own = copyOf(site);
      harm(own.store);
      const before = await keysOf(own.store, "packs/");
      await expect(own.prune()).rejects.toMatchObject({
        code: "E_INTEGRITY",
        hint: expect.stringContaining("ovault repair"),
      });
      expect(await keysOf(own.store, "packs/")).toEqual(before);
      await repairRepository(await own.repository(), { removeDamagedManifests: true, signal: never });
      const report = await own.prune();
      expect(report.heldByLosses).toEqual(incomplete);
      const left = (await keysOf(own.store, "packs/")).length;
      expect(left === before.length).toBe(incomplete.length > 0);
      expect(await own.prune({ giveUpLost: true })).toMatchObject({ heldByLosses: [] });
      expect((await keysOf(own.store, "packs/")).length).toBeLessThan(before.length);
    }
  });

  test("is what lies below a page whose bytes are also those of a block of a disk", async () => {
    // A guest may write what it likes: here the block map of another disk, as far as it can be known.
    const point = await site.backUp({ blocks: [1, 2, 3] });
    const record = diskIn(point);
    const repository = await site.repository();
    const map = await repository.openMap(point, record, never);
    const page = encodePage({ level: 0, entries: await map.leaf(0, never) });
    const writer = repository.writer(never);
    const id = await writer.idOf(page);
    const over = encodePage({ level: 0, entries: [id] });
    const root = await writer.idOf(over);
    await writer.store("pages", root, over);
    await writer.finish();
    const stats = { ...record.stats, logicalBytes: page.byteLength };
    const disk = { ...record, blockMap: toHex(root), stats };
    const guest = { ...point, id: "20200101-000000-00000000", disks: [disk] };
    await repository.points.seal(guest, never);
    await site.prune({ repack: ALL });
    await site.forget(guest);
    await site.prune({ repack: ALL });
    expect(await broken()).toEqual([]);
  });

  test("are points whose pages are on record as lost, and all that can still be read of others", async () => {
    const whole = await site.backUp({ blocks: [1, 2, 3] });
    const lost = await site.backUp({ blocks: [4, 5, 6], vm: "vm-2" });
    const { index } = await site.repository();
    const copies = index.find(Uint8Array.from(fromHex(diskIn(lost).blockMap ?? "")));
    expect(copies).toHaveLength(2);
    for (const { pack } of copies) site.store.objects.delete(packKey(pack.name));
    await expect(site.prune()).rejects.toMatchObject({ code: "E_INTEGRITY" });
    await repairRepository(await site.repository(), { signal: never });
    await site.prune();
    expect(await site.visible()).toEqual([whole.id, lost.id]);
    expect(await broken()).toEqual([expect.stringContaining(lost.id)]);
  });
});

test("index objects that are gone are made anew from packs, and many small ones become few", async () => {
  for (let run = 0; run < 20; run += 1) await site.backUp({ blocks: [run + 1], vm: `vm-${run}` });
  expect(await keysOf(site.store, "index/")).toHaveLength(20);
  await site.prune();
  expect(await keysOf(site.store, "index/")).toHaveLength(1);
  for (const key of await keysOf(site.store, "index/")) site.store.objects.delete(key);
  await site.prune();
  expect(await keysOf(site.store, "index/")).toHaveLength(1);
  expect(await broken()).toEqual([]);
});

test("a prune that is cancelled ends in a cancellation, and the next one goes on", async () => {
  await site.forget(await site.backUp({ blocks: [1, 2, 3, 4, 5] }));
  const controller = new AbortController();
  const freed: number[] = [];
  const cancelled = site.prune({
    signal: controller.signal,
    onProgress: ({ freedPacks }) => {
      freed.push(freedPacks);
      if (freedPacks === 1) controller.abort(new CancelledError("Ctrl-C"));
    },
  });
  await expect(cancelled).rejects.toMatchObject({ code: "E_CANCELLED" });
  expect(freed.at(-1)).toBeGreaterThan(0);
  await site.prune();
  expect(await packs()).toEqual([]);
});

test("two prunes, or a prune and a repair, do not work at once, unless one waits", async () => {
  const place = new GatedStore(site.store);
  const stopped = place.stopAt(({ kind, key }) => kind === "list" && key === "packs/");
  const first = site.prune({}, place);
  await stopped.reached;
  const held = { code: "E_LEASE_HELD", message: expect.stringContaining("the maintenance of the repository") };
  await expect(site.prune()).rejects.toMatchObject(held);
  await expect(repairRepository(await site.repository(), { signal: never })).rejects.toMatchObject(held);
  const waiting = site.prune({ ifBusy: "wait", clock: hoursLater(0) });
  stopped.release();
  await Promise.all([first, waiting]);
});

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
