import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";

import { type Codec, OvaultError, processIdentity, type RecoveryPoint, StoreUnavailableError } from "@ovault/contract";
import { copyPoints, type CopyResult, machineLease, prune, readOnly, type Repository } from "@ovault/core";
import {
  applyChanges,
  arbitraryChanges,
  arbitraryDisk,
  FaultyStore,
  InterceptedStore,
  keysOf,
  MemoryStore,
  type ModelDisk,
  type StoreCall,
} from "@ovault/testkit";
import { DEAD, ELSEWHERE, hoursLater } from "@ovault/test-support/repository/block-site";
import { repair } from "@ovault/test-support/repository/repair";
import {
  arbitraryHarms,
  BLOCK_BYTES,
  harm,
  ModelRepository,
  openUnlessDamaged,
  threePoints,
} from "@ovault/test-support/repository/model-repository";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, vmOf } from "@ovault/test-support/repository/take-point";

import { acquireLease } from "../../src/leases/lease.ts";
import type { CopyPointsOptions } from "../../src/copy/copy-points.ts";
import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { zstandard } from "../../src/blocks/codecs/zstandard.ts";

import { plain } from "../../src/blocks/codecs/plain.ts";
import { GatedStore } from "../maintenance/support/gated-store.ts";

const PAIRS = [
  ["in the clear", "in the clear"],
  ["in the clear", "encrypted"],
  ["encrypted", "in the clear"],
  ["encrypted", "encrypted"],
] as const;
type Kind = (typeof PAIRS)[number][number];

const SPREAD: ModelDisk = {
  bytes: Uint8Array.from({ length: 40 * BLOCK_BYTES }, (_, at) => (at * 31 + (at >> 8)) & 0xff),
  extents: [{ offset: 0, length: 40 * BLOCK_BYTES, kind: "data" }],
};

function create(kind: Kind): Promise<ModelRepository> {
  return ModelRepository.create({ encrypted: kind === "encrypted" });
}

async function copyAll(
  from: Repository,
  to: Repository,
  options: Partial<CopyPointsOptions> = {},
): Promise<readonly CopyResult[]> {
  const { points } = await from.points.list(never);
  return await copyPoints({ from, to, points, signal: never, ...options });
}

function outcomes(results: readonly CopyResult[]): readonly string[] {
  return results.map(({ outcome }) => outcome);
}

/** Ids of the points of a repository, all of which restore as the source's were given. */
async function wholePoints(to: Repository, { content }: ModelRepository): Promise<ReadonlySet<string>> {
  const { points } = await to.points.list(never);
  for (const point of points) {
    for (const [number, bytes] of (content.get(point.id) ?? []).entries()) {
      expect(Buffer.compare(await restoredBytes(to, point, number), bytes)).toBe(0);
    }
  }
  return new Set(points.map(({ id }) => id));
}

/** So many points, each of them whole. */
async function expectSpread(to: Repository, count: number): Promise<void> {
  const { points } = await to.points.list(never);
  expect(points).toHaveLength(count);
  for (const point of points) expect(Buffer.compare(await restoredBytes(to, point), SPREAD.bytes)).toBe(0);
}

/** A copy that stands still in the put of its manifest, until the prune that replaces it has deleted what it had stored. */
async function suspendAndPrune(source: ModelRepository, target: ModelRepository) {
  const place = new GatedStore(target.store);
  const sealing = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("points/"));
  const from = await source.open(readOnly(source.store, "readOnly"));
  const copying = copyAll(from, await target.open(place), { process: ELSEWHERE });
  await sealing.reached;
  await prune(await target.open(), { graceMs: 0, clock: hoursLater(1), signal: never });
  expect(await keysOf(target.store, "packs/")).toEqual([]);
  return { wake: sealing.release, copying };
}

/** Counts the chunks that are read of packs. */
class CountingStore extends InterceptedStore {
  chunksRead = 0;

  protected override intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    if (kind === "get" && key.startsWith("packs/")) this.chunksRead += 1;
    return work();
  }
}

describe.each(PAIRS)("from a repository %s to one %s", (fromKind, toKind) => {
  test("every point that is copied restores, whatever is copied when; a second copy stores nothing", async () => {
    const codecs = fc.constantFrom<Codec>(lz4, zstandard(3), plain);
    const step = fc.record({ changes: arbitraryChanges, copied: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(arbitraryDisk(6), fc.array(step, { maxLength: 3 }), codecs, async (disk, steps, codec) => {
        const source = await create(fromKind);
        const target = await create(toKind);
        let current = disk;
        let base = await source.take([current]);
        const copied: string[] = [];
        for (const { changes, copied: now } of [...steps, { changes: { changes: [], grownBy: 0 }, copied: true }]) {
          current = applyChanges(current, changes);
          base = await source.take([current], base);
          if (!now) continue;
          const to = await target.open(target.store, codec);
          expect(outcomes(await copyAll(await source.open(), to, { points: [base] }))).toEqual(["copied"]);
          copied.push(base.id);
        }
        const to = await target.open(target.store, codec);
        expect(await wholePoints(to, source)).toEqual(new Set(copied));
        const packs = await keysOf(target.store, "packs/");
        const again = await copyAll(await source.open(), to, { points: (await to.points.list(never)).points });
        expect(outcomes(again)).toEqual(copied.map(() => "present"));
        expect(await keysOf(target.store, "packs/")).toEqual(packs);
        // Older points share what the newer ones brought.
        await copyAll(await source.open(), await target.open());
        expect(await wholePoints(await target.open(), source)).toEqual(new Set(source.content.keys()));
      }),
      { numRuns: 12 },
    );
  });

  test("nothing is read that the destination has: only what changed since the point that both have", async () => {
    const source = await create(fromKind);
    const target = await create(toKind);
    const first = await source.take([SPREAD]);
    await copyAll(await source.open(), await target.open());
    const changed = applyChanges(SPREAD, { changes: [{ at: 0.5, length: 10, seed: 7 }], grownBy: 0 });
    await source.take([changed], first);
    const counting = new CountingStore(source.store);
    const from = await source.open(counting);
    const [planned] = (await copyAll(from, await target.open(), { dryRun: true })).slice(1);
    counting.chunksRead = 0;
    const results = await copyAll(from, await target.open());
    expect(outcomes(results)).toEqual(["present", "copied"]);
    expect(results[1]).toMatchObject({ readBytes: BLOCK_BYTES, doneBytes: SPREAD.bytes.byteLength });
    expect(planned).toMatchObject({ outcome: "copied", readBytes: BLOCK_BYTES, storedBytes: 0 });
    // One block, and its page; where ids differ, the page of the point that both have.
    expect(counting.chunksRead).toBeLessThanOrEqual(3);
    expect(await wholePoints(await target.open(), source)).toEqual(new Set(source.content.keys()));
  });

  test("what the copy lost comes back with the next copy", async () => {
    const source = await create(fromKind);
    const target = await create(toKind);
    await source.take([SPREAD]);
    await copyAll(await source.open(), await target.open());
    const [lost = ""] = [...target.store.objects].flatMap(([key, { 9: kind }]) =>
      key.startsWith("packs/") && kind === 1 ? [key] : [],
    );
    target.store.objects.delete(lost);
    await repair(target);
    expect(outcomes(await copyAll(await source.open(), await target.open()))).toEqual(["healed"]);
    expect(await wholePoints(await target.open(), source)).toEqual(new Set(source.content.keys()));
    expect(outcomes(await copyAll(await source.open(), await target.open()))).toEqual(["present"]);
  });
});

describe("a copy", () => {
  let source: ModelRepository;
  let target: ModelRepository;
  beforeEach(async () => {
    source = await create("in the clear");
    target = await create("encrypted");
    await source.take([SPREAD]);
  });

  test("has the manifest of its origin, but no marker for an increment, and says where it is from", async () => {
    const from = await source.open();
    const { points } = await from.points.list(never);
    const marked = points.map((point): RecoveryPoint => ({
      ...point,
      id: `${point.id.slice(0, -1)}x`,
      disks: point.disks.map((record) => ({ ...record, base: { checkpoint: 1 } })),
    }));
    for (const point of marked) await from.points.seal(point, never);
    await copyAll(from, await target.open());
    const copies = (await (await target.open()).points.list(never)).points;
    const origins = (await from.points.list(never)).points;
    for (const [number, { disks, copiedFrom, ...rest }] of copies.entries()) {
      const { disks: originals = [], ...origin } = origins[number] ?? {};
      expect(rest).toEqual(origin);
      expect(copiedFrom).toBe(from.settings.id);
      expect(disks.map(({ disk, stats }) => [disk, stats])).toEqual(originals.map(({ disk, stats }) => [disk, stats]));
      expect(disks.some(({ base }) => base !== undefined)).toBe(false);
    }
    expect(copies.length).toBe(2);
  });

  test("of a point with lost chunks is refused, and the others are copied", async () => {
    const origin = await threePoints();
    await fc.assert(
      fc.asyncProperty(arbitraryHarms, async (harms) => {
        const damaged = origin.clone();
        for (const each of harms) harm(damaged.store, each);
        const restorable = await damaged.restorable();
        const from = await openUnlessDamaged(() => damaged.open());
        if (from === undefined) return;
        const to = await create("encrypted");
        const { points } = await from.points.list(never);
        const results = await copyPoints({ from, to: await to.open(), points, signal: never });
        const whole = points.filter(({ id, disks }) => disks.every((_, number) => restorable.has(`${id}/${number}`)));
        expect(await wholePoints(await to.open(), damaged)).toEqual(new Set(whole.map(({ id }) => id)));
        for (const { point, outcome, error } of results) {
          const expected = whole.some(({ id }) => id === point.id) ? [undefined, "copied"] : ["E_INTEGRITY", "failed"];
          expect([error instanceof OvaultError ? error.code : undefined, outcome]).toEqual(expected);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("between repositories with blocks of different sizes, and to itself, is refused with the next step", async () => {
    const other = await smallRepository(new MemoryStore(), BLOCK_BYTES * 2);
    const refusal = { code: "E_USAGE", hint: expect.any(String) };
    await expect(copyAll(await source.open(), other)).rejects.toMatchObject(refusal);
    await expect(copyAll(await source.open(), await source.open())).rejects.toMatchObject(refusal);
  });

  test("of a point that was forgotten at the destination waits for prune", async () => {
    await copyAll(await source.open(), await target.open());
    const to = await target.open();
    for (const point of (await to.points.list(never)).points) await to.points.forget(point, never);
    const [result] = await copyAll(await source.open(), await target.open());
    expect(result).toMatchObject({
      outcome: "failed",
      error: { code: "E_USAGE", hint: expect.stringContaining("prune") },
    });
  });

  describe("of a copier that was suspended in the put of its manifest, and replaced", () => {
    test("never comes to be, though another copier began after it and was killed", async () => {
      const { wake, copying } = await suspendAndPrune(source, target);
      const dying = new FaultyStore(target.store, { kinds: ["put"], call: 4, when: "before", forGood: true });
      const killed = await copyAll(await source.open(), await target.open(dying), { process: DEAD });
      expect(outcomes(killed)).toEqual(["failed"]);
      wake();
      expect(await copying).toMatchObject([{ outcome: "failed", error: { code: "E_LEASE_LOST" } }]);
      expect((await (await target.open()).points.list(never)).points).toEqual([]);
      expect(outcomes(await copyAll(await source.open(), await target.open()))).toEqual(["copied"]);
      await expectSpread(await target.open(), 1);
    });

    test("does not stand in the way of the next, which has a name of its own and is found by it", async () => {
      const { wake, copying } = await suspendAndPrune(source, target);
      const [point] = (await (await source.open()).points.list(never)).points;
      const copyId = `${point?.id}-copy2`;
      const results = await copyAll(await source.open(), await target.open());
      expect(results).toMatchObject([{ outcome: "copied", copyId, point: { id: point?.id } }]);
      wake();
      expect(await copying).toMatchObject([{ outcome: "failed" }]);
      await expectSpread(await target.open(), 1);
      const again = await copyAll(await source.open(), await target.open());
      expect(again).toMatchObject([{ outcome: "present", copyId }]);
      // A copy of the copy goes by the name of the origin.
      const third = await create("in the clear");
      expect(await copyAll(await target.open(), await third.open())).toMatchObject([{ copyId: point?.id }]);
      expect(outcomes(await copyAll(await source.open(), await third.open()))).toEqual(["present"]);
    });
  });

  test("whose put failed is void before the lease is given back, so that it cannot arrive late", async () => {
    class LateStore extends InterceptedStore {
      arrive: (() => Promise<unknown>) | undefined;

      protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
        if (kind !== "put" || !key.startsWith("points/") || this.arrive !== undefined) return await work();
        this.arrive = work;
        throw new StoreUnavailableError("no answer came", { retry: "never" });
      }
    }
    const late = new LateStore(target.store);
    const from = await source.open();
    expect(outcomes(await copyAll(from, await target.open(late)))).toEqual(["failed"]);
    await prune(await target.open(), { graceMs: 0, signal: never });
    expect(await keysOf(target.store, "packs/")).toEqual([]);
    await late.arrive?.();
    expect((await (await target.open()).points.list(never)).points).toEqual([]);
    expect(outcomes(await copyAll(from, await target.open()))).toEqual(["copied"]);
  });

  test("whose chunks lie in no pack is not taken for present, listed or not, on record or not", async () => {
    await copyAll(await source.open(), await target.open());
    const before = new Map(target.store.objects);
    const packsOf = (kind: number): string[] =>
      [...before].filter(([key, object]) => key.startsWith("packs/") && object[9] === kind).map(([key]) => key);
    // A page lies in two packs, of which one is enough.
    for (const lost of [...packsOf(1).map((key) => [key]), packsOf(2)]) {
      for (const listed of [true, false]) {
        target.store.objects.clear();
        for (const [key, bytes] of before) target.store.objects.set(key, bytes);
        for (const key of lost) target.store.objects.delete(key);
        if (!listed) for (const key of await keysOf(target.store, "index/")) target.store.objects.delete(key);
        const planned = await copyAll(await source.open(), await target.open(), { dryRun: true });
        expect(outcomes(planned)).toEqual(["healed"]);
        expect(outcomes(await copyAll(await source.open(), await target.open()))).toEqual(["healed"]);
        expect(await wholePoints(await target.open(), source)).toEqual(new Set(source.content.keys()));
        expect(outcomes(await copyAll(await source.open(), await target.open()))).toEqual(["present"]);
      }
    }
  });

  test("is refused while a backup of the machine is under way at the destination", async () => {
    const to = await target.open();
    const resource = machineLease(to.protection, vmOf()).resource;
    const holder = { runId: "backup", ...processIdentity() };
    const lease = await acquireLease(to.store, { resource, holder, ttlMs: 60_000, ifBusy: "refuse", signal: never });
    expect(await copyAll(await source.open(), to)).toMatchObject([{ error: { code: "E_LEASE_HELD" } }]);
    await lease.release();
    expect(outcomes(await copyAll(await source.open(), to))).toEqual(["copied"]);
  });

  test("leaves a source as it is that cannot be written to", async () => {
    const before = new Map(source.store.objects);
    expect(outcomes(await copyAll(await source.open(readOnly(source.store, "readOnly")), await target.open()))).toEqual(
      ["copied"],
    );
    expect(source.store.objects).toEqual(before);
  });

  test("changes nothing when it is a dry run", async () => {
    const before = [new Map(source.store.objects), new Map(target.store.objects)];
    await copyAll(await source.open(), await target.open(), { dryRun: true });
    expect([source.store.objects, target.store.objects]).toEqual(before);
  });
});
