import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { processIdentity, type RecoveryPoint } from "@ovault/contract";
import { backupVirtualMachine, FileLedger, lossesOfMarked, repairRepository, verifySample } from "@ovault/core";
import { applyChanges, MemoryStore, type ModelDisk, ModelPlatform, ModelStrategy, sourceOf } from "@ovault/testkit";
import { type ModelRepository, threePoints } from "@ovault/test-support/repository/model-repository";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";
import { repair } from "@ovault/test-support/repository/repair";

import { encodeDocument } from "../../src/format/document.ts";
import { acquireLease } from "../../src/leases/lease.ts";

const image: ModelDisk = {
  bytes: Uint8Array.from({ length: 9000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff),
  extents: [{ offset: 0, length: 9000, kind: "data" }],
};

/** Keys of the packs of a kind: 1 for blocks, 2 for pages. */
function packsOf(store: MemoryStore, kind: 1 | 2): string[] {
  return [...store.objects]
    .filter(([key, { 9: found }]) => key.startsWith("packs/") && found === kind)
    .map(([key]) => key);
}

async function markedIds(store: MemoryStore): Promise<string[]> {
  const repository = await reopen(store);
  const { points } = await repository.points.list(never);
  return [...(await lossesOfMarked(repository, points, never)).keys()];
}

describe("a chunk that is lost", () => {
  let store: MemoryStore;
  let point: RecoveryPoint;
  beforeEach(async () => {
    store = new MemoryStore();
    point = await takePoint(await smallRepository(store, 512), [sourceOf(image)]);
  });

  test.each([
    ["missing", (key: string) => store.objects.delete(key)],
    ["cut short", (key: string) => store.objects.set(key, store.objects.get(key)?.slice(0, 700) ?? new Uint8Array())],
  ])("because its pack is %s marks the point, until a later backup brings it again", async (_, lose) => {
    lose(packsOf(store, 1)[0] ?? "");
    const report = await repairRepository(await reopen(store), { signal: never });
    expect(report.lost).toMatchObject([{ point: point.id, disks: [{ disk: "disk-1" }] }]);
    expect(report.places.added).toBeGreaterThan(0);
    expect(await markedIds(store)).toEqual([point.id]);
    await takePoint(await reopen(store), [sourceOf(image)]);
    expect(await markedIds(store)).toEqual([]);
    expect(await restoredBytes(await reopen(store), point)).toEqual(image.bytes);
    const healed = await repairRepository(await reopen(store), { signal: never });
    expect(healed).toMatchObject({ lost: [], healed: [point.id] });
    expect([...store.objects.keys()].filter((key) => key.startsWith("lost/"))).toEqual([]);
  });

  test("is reported with the ranges of the disk that it concerns, and nothing else", async () => {
    const [pack = ""] = packsOf(store, 1);
    store.objects.delete(pack);
    const { lost } = await repairRepository(await reopen(store), { signal: never });
    const [{ lostBytes, disks } = { lostBytes: 0, disks: [] }] = lost;
    const ranges = disks.flatMap((disk) => disk.ranges);
    expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBe(lostBytes);
    const places = [...(await reopen(store)).index.packs].find(({ name }) => pack.endsWith(name));
    expect(places?.name).toBeDefined();
    expect(ranges.every(({ offset, length }) => offset % 512 === 0 && offset + length <= 9000)).toBe(true);
  });

  test("is not lost any more when its pack is there again", async () => {
    const [pack = ""] = packsOf(store, 1);
    const bytes = store.objects.get(pack) ?? new Uint8Array();
    store.objects.delete(pack);
    await repairRepository(await reopen(store), { signal: never });
    store.objects.set(pack, bytes);
    const report = await repairRepository(await reopen(store), { signal: never });
    expect(report).toMatchObject({ lost: [], healed: [point.id], places: { known: 0 } });
    expect([...store.objects.keys()].filter((key) => /^(?:damage|lost)\//.test(key))).toEqual([]);
  });
});

describe("a base that has lost data", () => {
  let directory: string;
  let store: MemoryStore;
  let platform: ModelPlatform;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovault-repair-"));
    store = new MemoryStore();
    await smallRepository(store, 512);
    platform = new ModelPlatform();
    platform.disks.set("a", image);
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  async function backUp(): Promise<RecoveryPoint> {
    return await backupVirtualMachine({
      vm: platform.vm(),
      strategy: new ModelStrategy(platform),
      store: await reopen(store),
      ledger: await FileLedger.open(directory),
      full: false,
      excludeDisks: [],
      taps: [],
      ifBusy: "refuse",
      signal: never,
    });
  }

  test.each([
    ["blocks", 1],
    ["pages", 2],
  ] as const)("of %s makes the next run read everything, and say why", async (_, kind) => {
    const first = await backUp();
    for (const key of packsOf(store, kind)) store.objects.delete(key);
    await repairRepository(await reopen(store), { signal: never });
    const changed = applyChanges(image, { changes: [{ at: 0.5, length: 10, seed: 7 }], grownBy: 0 });
    platform.disks.set("a", changed);
    const second = await backUp();
    expect(second.disks).toMatchObject([{ mode: "full", reason: `the last point, ${first.id}, has lost data` }]);
    expect(second.warnings.join()).toContain("everything is read");
    expect(await restoredBytes(await reopen(store), second)).toEqual(changed.bytes);
    const third = await backUp();
    expect(third.disks).toMatchObject([{ mode: "incremental" }]);
    expect(await restoredBytes(await reopen(store), third)).toEqual(changed.bytes);
  });

  test("is not built on either when only a verification has seen it", async () => {
    const first = await backUp();
    for (const key of packsOf(store, 1)) store.objects.delete(key);
    await verifySample(await reopen(store), { share: 1, signal: never });
    const second = await backUp();
    expect(second.disks).toMatchObject([{ mode: "full", reason: `the last point, ${first.id}, has lost data` }]);
    expect(await restoredBytes(await reopen(store), second)).toEqual(image.bytes);
  });
});

describe("what a repair finds beside data", () => {
  let model: ModelRepository;
  const takeLease = async (resource: string) =>
    await acquireLease(model.store, {
      resource,
      holder: { runId: "next", ...processIdentity() },
      ttlMs: 60_000,
      ifBusy: "refuse",
      signal: never,
    });
  beforeEach(async () => {
    model = await threePoints();
  });

  test("objects that are not of ovault are named and left alone, wherever they lie", async () => {
    const wrongFolder = `packs/00/${"f".repeat(32)}`;
    const foreign = [
      "checks/x",
      "damage/x",
      "index/x",
      "notes.txt",
      wrongFolder,
      "packs/readme",
      "points/a/b",
      "zoo/a",
    ];
    for (const key of foreign) model.store.objects.set(key, Buffer.from("mine"));
    const before = await model.restorable();
    const report = await repair(model, { readData: true });
    expect(report.foreign).toEqual({ count: foreign.length, first: foreign });
    expect(report).toMatchObject({ packs: [], lost: [], manifests: [] });
    expect(foreign.every((key) => model.store.objects.has(key))).toBe(true);
    expect(await model.restorable()).toEqual(before);
  });

  test("manifests that do not prove themselves are named, and deleted only when that is asked for", async () => {
    const [key = ""] = [...model.store.objects.keys()].filter((name) => name.startsWith("points/"));
    model.store.objects.set(key, Buffer.from("garbage"));
    expect((await repair(model)).manifests).toMatchObject([{ name: key, removed: false }]);
    expect(model.store.objects.has(key)).toBe(true);
    const removal = { removeDamagedManifests: true };
    expect((await repair(model, { ...removal, dryRun: true })).manifests).toMatchObject([{ name: key, removed: true }]);
    expect(model.store.objects.has(key)).toBe(true);
    expect((await repair(model, removal)).manifests).toMatchObject([{ name: key, removed: true }]);
    expect(model.store.objects.has(key)).toBe(false);
  });

  test("leases that say nothing are given back when that is asked for, and can be taken again", async () => {
    const [key = ""] = [...model.store.objects.keys()].filter((name) => name.startsWith("leases/vm-1/"));
    model.store.objects.set(key, Buffer.from("garbage"));
    const told = await repair(model, { freeDamagedLeases: false });
    expect(told.leases).toMatchObject([{ name: "vm-1", removed: false }]);
    await expect(takeLease("vm-1")).rejects.toMatchObject({ code: "E_INTEGRITY" });
    expect((await repair(model)).leases).toMatchObject([{ name: "vm-1", removed: true }]);
    const lease = await takeLease("vm-1");
    expect(lease.generation).toBeGreaterThan(Number(key.slice(-8)));
    await lease.release();
  });

  test("a claim that no run can have made is deleted when that is asked for, and the lease can be taken again", async () => {
    const claim = "leases/vm-1/99999999";
    for (const bytes of [
      Buffer.from("garbage"),
      encodeDocument("claim", 1, { state: "free", at: "2026-01-01T00:00:00.000Z" }),
    ]) {
      model.store.objects.set(claim, bytes);
      expect((await repair(model, { freeDamagedLeases: false })).leases).toMatchObject([
        { name: "vm-1", removed: false },
      ]);
      await expect(takeLease("vm-1")).rejects.toMatchObject({ code: "E_INTEGRITY" });
      expect((await repair(model)).leases).toMatchObject([{ name: "vm-1", removed: true }]);
      expect(model.store.objects.has(claim)).toBe(false);
      expect((await repair(model)).leases).toEqual([]);
      await (await takeLease("vm-1")).release();
    }
  });

  test("the own lease that says nothing stops it before anything is changed", async () => {
    model.store.objects.set("leases/maintenance/00000007", Buffer.from("garbage"));
    const before = new Map(model.store.objects);
    await expect(repair(model, { freeDamagedLeases: false })).rejects.toMatchObject({
      code: "E_INTEGRITY",
      hint: expect.stringContaining("no run is at work"),
    });
    expect(model.store.objects).toEqual(before);
    await repair(model);
  });

  test("a prune at work makes it refuse", async () => {
    const lease = await takeLease("maintenance");
    await expect(repair(model)).rejects.toMatchObject({ code: "E_LEASE_HELD" });
    await lease.release();
    await repair(model);
  });
});
