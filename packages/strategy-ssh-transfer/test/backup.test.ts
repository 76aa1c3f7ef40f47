import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;
const INCREMENTAL = ["incremental", "incremental"];

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(() => bench.close());

test("the first backup is full and keeps its snapshot", async () => {
  expect(modesOf(base)).toEqual(["full", "full"]);
  expect(await differences(bench, base)).toEqual([]);
  await expect.poll(() => leftBeside(bench, base), { timeout: 20_000 }).toEqual([]);
  expect((await bench.lab.leftovers()).snapshots).toHaveLength(1);
});

test("an increment holds what changed, zeros included, on raw and QCOW2 disks; the older snapshot goes", async () => {
  for (const disk of [0, 1]) {
    await bench.write(disk, { kind: "random", seed: "one", offset: 5_000_001, length: 70_000 });
    await bench.write(disk, { kind: "zero", offset: 3 * MIB, length: 128 * 1024 });
    await bench.write(disk, { kind: "discard", offset: MIB, length: 64 * 1024 });
  }
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(INCREMENTAL);
  expect(next.point.disks[1]?.disk).toMatchObject({ format: "raw" });
  // The rest of the disks was not read.
  expect(next.point.disks[0]?.stats.readBytes).toBeLessThan(3 * MIB);
  expect(await differences(bench, next)).toEqual([]);
  await expect.poll(() => leftBeside(bench, next), { timeout: 20_000 }).toEqual([]);
  base = next;
});

test("snapshots that people made in between are part of the increment, zeros and growth included", async () => {
  const { id: vmId } = base.point.vm;
  await bench.write(0, { kind: "random", seed: "below", offset: 2 * MIB, length: 300_000 });
  const foreign = await bench.snapshot("before the update");
  await bench.write(0, { kind: "zero", offset: 2 * MIB, length: 64 * 1024 });
  await bench.write(1, { kind: "random", seed: "between", offset: 6 * MIB, length: 100_000 });
  await bench.lab.resizeDisk("web", "0", 20 * MIB + 4096);
  const another = await bench.snapshot("after the update");
  await bench.write(0, { kind: "random", seed: "grown", offset: 18 * MIB, length: 4_096 });
  await bench.write(1, { kind: "zero", offset: 6 * MIB, length: 64 * 1024 });
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(INCREMENTAL);
  expect(next.point.disks[0]?.disk.logicalBytes).toBe(20 * MIB + 4096);
  expect(await differences(bench, next)).toEqual([]);
  const people = [foreign, another].map((id) => `snapshots: ${id}`);
  await expect.poll(() => leftBeside(bench, next), { timeout: 20_000 }).toEqual(people);
  for (const id of [foreign, another]) await bench.manager.api.snapshots.delete(vmId, id, never);
  await expect.poll(() => leftBeside(bench, next), { timeout: 20_000 }).toEqual([]);
  // The merges have renamed the volume of the base.
  await bench.write(0, { kind: "random", seed: "renamed", offset: 8_000_000, length: 5_000 });
  base = await bench.backup({ base: next });
  expect(modesOf(base)).toEqual(INCREMENTAL);
  expect(await differences(bench, base)).toEqual([]);
});

test("a base that is gone costs one comparison, and says so", async () => {
  const snapshotId = String(base.point.disks[0]?.base?.["snapshotId"]);
  await bench.manager.api.snapshots.delete(base.point.vm.id, snapshotId, never);
  await expect.poll(() => leftBeside(bench), { timeout: 20_000 }).toEqual([]);
  const compared = await bench.backup({ base });
  expect(modesOf(compared)).toEqual(["compared", "compared"]);
  expect(compared.point.disks[0]?.reason).toBe("the snapshot of the last point is gone");
  expect(await differences(bench, compared)).toEqual([]);
  base = compared;
});

test("where no increment is planned, no snapshot stays", async () => {
  const last = await bench.backup({ base, keepBase: false });
  expect(modesOf(last)).toEqual(INCREMENTAL);
  expect(await differences(bench, last)).toEqual([]);
  expect(last.point.disks.map(({ base: marker }) => marker)).toEqual([undefined, undefined]);
});

test("a virtual machine that is off is backed up as well", async () => {
  const off = await Bench.open({ down: true });
  try {
    const first = await off.backup();
    const second = await off.backup({ base: first });
    expect(modesOf(second)).toEqual(INCREMENTAL);
    expect(await differences(off, second)).toEqual([]);
    await expect.poll(() => leftBeside(off, second), { timeout: 20_000 }).toEqual([]);
  } finally {
    await off.close();
  }
});

test.each(["4.2", "4.3", "4.4"] as const)(
  "engine %s: full, increments and what people made in between",
  async (engineVersion) => {
    const old = await Bench.open({ engineVersion });
    try {
      let last = await old.backup();
      expect(await differences(old, last)).toEqual([]);
      for (const round of [1, 2]) {
        await old.write(0, { kind: "random", seed: `q${round}`, offset: 3_333_333 * round, length: 222_222 });
        await old.write(0, { kind: "zero", offset: MIB, length: 65_536 * round });
        if (round === 2) await old.snapshot("of a person");
        await old.write(1, { kind: "random", seed: `r${round}`, offset: 1_000_000 * round, length: 77_777 });
        last = await old.backup({ base: last });
        expect(modesOf(last)).toEqual(INCREMENTAL);
        expect(last.point.disks.map(({ disk }) => disk.format)).toEqual(["cow", "raw"]);
        expect(await differences(old, last)).toEqual([]);
      }
    } finally {
      await old.close();
    }
  },
);
