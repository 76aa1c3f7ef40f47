import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";

import type { GetOptions, ObjectKey, ObjectStore, RecoveryPoint } from "@ovault/contract";
import { readOnly, type VerifyReport, verifyPoints, verifyRepository, verifySample } from "@ovault/core";
import { InterceptedStore, keysOf, MemoryStore, type ModelDisk, sourceOf, type StoreCall } from "@ovault/testkit";
import {
  arbitraryHarms,
  harm,
  type ModelRepository,
  threePoints,
} from "@ovault/test-support/repository/model-repository";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, takePoint } from "@ovault/test-support/repository/take-point";

import { indexObjects } from "../../src/repository/index/index-objects.ts";

const BLOCK_BYTES = 512;
const BLOCKS = 120;

/** Blocks that all differ, so that they fill many packs. */
function diskWith(seed: number): ModelDisk {
  const bytes = new Uint8Array(BLOCKS * BLOCK_BYTES);
  for (let at = 0; at < bytes.byteLength; at += 1) bytes[at] = (at * 2654435761 + seed * 97 + (at >> 7)) >>> 11;
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

/** Notes which packs are read whole: only then their directories are read. */
class WatchedStore extends InterceptedStore {
  /** Keys of packs, each once, however many pieces of it were read. */
  readonly read: string[] = [];
  readonly #store: ObjectStore;
  /** Called before a pack is read. */
  beforeRead: (key: string) => Promise<void> = () => Promise.resolve();

  constructor(store: ObjectStore) {
    super(store);
    this.#store = store;
  }

  override async get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    if (key.startsWith("packs/")) {
      await this.beforeRead(key);
      const { offset, length } = options.range ?? { offset: 0, length: 0 };
      const isDirectory = offset + length === (await this.#store.stat(key, options)).bytes;
      if (isDirectory && !this.read.includes(key)) this.read.push(key);
    }
    return await super.get(key, options);
  }

  protected override async intercept<T>(_: StoreCall, work: () => Promise<T>): Promise<T> {
    return await work();
  }
}

describe("a sample", () => {
  let store: MemoryStore;
  let point: RecoveryPoint;
  let packs: readonly string[];
  beforeEach(async () => {
    store = new MemoryStore();
    point = await takePoint(await smallRepository(store, BLOCK_BYTES), [sourceOf(diskWith(1))]);
    packs = await keysOf(store, "packs/");
  });

  async function sample(share: number): Promise<{ readonly read: readonly string[]; readonly report: VerifyReport }> {
    const watched = new WatchedStore(store);
    const report = await verifySample(await reopen(watched), { share, signal: never });
    return { read: watched.read, report };
  }

  test("takes what was not checked for the longest time, so that a few samples have read everything once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: 60 }), async (percent) => {
        for (const key of await keysOf(store, "checks/")) store.objects.delete(key);
        const seen: string[] = [];
        while (new Set(seen).size < packs.length) {
          const { read, report } = await sample(percent / 100);
          expect(report).toMatchObject({ damage: [], notes: [], packs: read.length });
          // None comes again before all others had their turn.
          expect(new Set([...seen, ...read]).size).toBe(Math.min(packs.length, seen.length + read.length));
          seen.push(...read);
        }
        expect(seen.length).toBeLessThanOrEqual(packs.length + Math.ceil((packs.length * percent) / 100) + 1);
      }),
      { numRuns: 12 },
    );
  });

  test("reads about as much as was asked for", async () => {
    const total = packs.reduce((sum, key) => sum + (store.objects.get(key)?.byteLength ?? 0), 0);
    const { report } = await sample(0.3);
    expect(report.storedBytes).toBeGreaterThanOrEqual(total * 0.3);
    expect(report.storedBytes).toBeLessThan(total * 0.3 + 5000);
  });

  test("is remembered in few objects, however many there were", async () => {
    for (let round = 0; round < 40; round += 1) await sample(0.05);
    expect((await keysOf(store, "checks/")).length).toBeLessThanOrEqual(10);
    const { read } = await sample(0.01);
    expect(read.length).toBe(1);
  });

  test("of two nodes at once counts for both", async () => {
    await Promise.all([sample(0.3), sample(0.3), sample(0.3)]);
    const { read } = await sample(1);
    expect(read.length).toBe(packs.length);
    const first = await sample(0.01);
    expect(first.report.damage).toEqual([]);
  });

  test("that finds damage writes it down, so that the next backup stores the chunk again", async () => {
    const key = packs.find((name) => store.objects.get(name)?.[9] === 1) ?? "";
    const pack = Uint8Array.from(store.objects.get(key) ?? []);
    pack[40] = (pack[40] ?? 0) ^ 1;
    store.objects.set(key, pack);
    const { report } = await sample(1);
    const block = { offset: expect.any(Number), length: BLOCK_BYTES, reason: expect.stringContaining("no pack") };
    expect(report.damage).toMatchObject([
      { point: null, reason: expect.stringContaining("1 of ") },
      { point: point.id, disk: "disk-1", ...block },
    ]);
    expect((await keysOf(store, "damage/")).length).toBe(1);
    const before = (await keysOf(store, "packs/")).length;
    await takePoint(await reopen(store), [sourceOf(diskWith(1))]);
    expect((await keysOf(store, "packs/")).length).toBe(before + 1);
    expect((await verifyPoints(await reopen(store), [point], { signal: never })).damage).toEqual([]);
  });

  test("takes damage back that is found to be none", async () => {
    const [key = ""] = packs;
    const pack = store.objects.get(key) ?? new Uint8Array();
    store.objects.set(
      key,
      pack.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    );
    await sample(1);
    store.objects.set(key, pack);
    expect((await sample(1)).report.damage).toEqual([]);
    expect(await keysOf(store, "damage/")).toEqual([]);
  });

  test("of a read-only store is reported, with a note that it will not be remembered", async () => {
    const before = new Map(store.objects);
    const report = await verifySample(await reopen(readOnly(store, "readOnly")), { share: 1, signal: never });
    expect(report).toMatchObject({ damage: [], packs: packs.length, notes: [expect.stringContaining("read-only")] });
    expect(store.objects).toEqual(before);
  });

  test("that is cancelled is remembered as far as it came", async () => {
    const watched = new WatchedStore(store);
    const controller = new AbortController();
    watched.beforeRead = async () => {
      if (watched.read.length === 5) controller.abort(new Error("enough"));
    };
    const options = { share: 1, lanes: 1, signal: controller.signal };
    await expect(verifySample(await reopen(watched), options)).rejects.toThrow("enough");
    const { read } = await sample(0.01);
    expect(watched.read.slice(0, 4)).not.toContain(read[0]);
  });
});

describe("what goes on beside a verification", () => {
  let model: ModelRepository;
  beforeEach(async () => {
    model = await threePoints();
  });

  test("points that are forgotten and pruned while it runs are no damage", async () => {
    const watched = new WatchedStore(model.store);
    const repository = await model.open(watched);
    const { points } = await repository.points.list(never);
    watched.beforeRead = async () => {
      watched.beforeRead = () => Promise.resolve();
      for (const key of model.store.objects.keys())
        if (/^(?:packs|index|points)\//.test(key)) model.store.objects.delete(key);
    };
    expect((await verifyPoints(repository, points, { signal: never })).damage).toEqual([]);
    expect((await keysOf(model.store, "damage/")).length).toBe(0);
  });

  test("packs that prune replaces while it runs are no damage", async () => {
    const watched = new WatchedStore(model.store);
    const repository = await model.open(watched);
    watched.beforeRead = async () => {
      watched.beforeRead = () => Promise.resolve();
      await moveAllChunks(model);
    };
    expect(await verifyRepository(repository, { signal: never })).toMatchObject({ damage: [], points: 3 });
    expect((await keysOf(model.store, "damage/")).length).toBe(0);
  });

  test("a point that is sealed while it runs is verified too", async () => {
    const watched = new WatchedStore(model.store);
    const repository = await model.open(watched);
    watched.beforeRead = async () => {
      watched.beforeRead = () => Promise.resolve();
      await model.take([diskWith(9)]);
    };
    expect(await verifyRepository(repository, { signal: never })).toMatchObject({ damage: [], points: 4 });
  });
});

/** As a prune does that repacks everything: new packs and index objects first, then the old ones go. */
async function moveAllChunks({ store }: ModelRepository): Promise<void> {
  const old = [...store.objects.keys()].filter((key) => /^(?:packs|index)\//.test(key));
  const before = await reopen(store);
  const writer = before.writer(never, ["data", "pages"]);
  for await (const { packs: listings = [] } of indexObjects(store, never)) {
    for (const { kind, entries } of listings) {
      for (const { id } of entries) await writer.store(kind, id, await before.chunks.load(id, never));
    }
  }
  await writer.finish();
  for (const key of old) store.objects.delete(key);
}

describe.each([
  ["in the clear", false],
  ["encrypted", true],
])("a repository %s, whatever of it is harmed,", (_, encrypted) => {
  test("is reported with exactly the damage that it has", async () => {
    const origin = await threePoints({ encrypted });
    await fc.assert(
      fc.asyncProperty(arbitraryHarms, async (harms) => {
        const model = origin.clone();
        for (const each of harms) harm(model.store, each);
        const restorable = await model.restorable();
        const { damage, points } = await verifyRepository(await model.open(), { signal: never });
        const damaged = new Set(damage.flatMap(({ point, disk }) => (point === null ? [] : [`${point}/${disk}`])));
        const listed = (await (await model.open()).points.list(never)).points;
        expect(points).toBe(listed.length);
        for (const { id, disks } of listed) {
          for (const [number, { disk }] of disks.entries()) {
            expect(damaged.has(`${id}/${disk.alias}`)).toBe(!restorable.has(`${id}/${number}`));
          }
        }
        const known = new Set(damage.map((found) => JSON.stringify(found)));
        const again = await verifyRepository(await model.open(), { signal: never });
        expect(new Set(again.damage.map((found) => JSON.stringify(found)))).toEqual(known);
      }),
      { numRuns: 25 },
    );
  });
});
