import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CancelledError, type DiskRecord, type RecoveryPoint } from "@ovault/contract";
import { repairRepository } from "@ovault/core";
import { FaultyStore, keysOf, listed, type MemoryStore } from "@ovault/testkit";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { BLOCK_BYTES, blockDisk } from "@ovault/test-support/repository/block-disk";
import { brokenPoints, garbage } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, copyOf, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

import { encodePage } from "../../src/repository/block-map/block-map-page.ts";
import { packKey } from "../../src/format/layout.ts";
import { ENTRY_BYTES } from "../../src/repository/packs/pack-entries.ts";
import { TRAILER_BYTES } from "../../src/repository/packs/pack-format.ts";
import { fromHex, toHex } from "../../src/util/hex.ts";
import { GatedStore } from "./support/gated-store.ts";

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

  test("are found by readers that know only the old places, as soon as these are gone", async () => {
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
