import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});

function snapshotOf({ point }: Taken): string {
  return String(point.disks[0]?.base?.["snapshotId"]);
}

test("the first backup is full, keeps its snapshot, and knows what it reached", async () => {
  expect(modesOf(base)).toEqual(["full", "full"]);
  expect(base.point.disks[0]?.reason).toBe("first backup of this virtual machine");
  expect(base.point.consistency).toBe("filesystem");
  expect(base.point.documents.map(({ name }) => name)).toEqual([
    "vm.ovf",
    "nics.json",
    "vm-settings.xml",
    "belongings.json",
  ]);
  expect(await differences(bench, base)).toEqual([]);
  expect(await leftBeside(bench, base)).toEqual([]);
  expect((await bench.lab.leftovers()).snapshots).toHaveLength(1);
});

test("an increment holds what changed, zeros included, on raw and QCOW2 disks; the older snapshot goes", async () => {
  for (const disk of [0, 1]) {
    await bench.write(disk, { kind: "random", seed: "one", offset: 5_000_001, length: 70_000 });
    await bench.write(disk, { kind: "zero", offset: 3 * 1024 * 1024, length: 128 * 1024 });
    await bench.write(disk, { kind: "discard", offset: 1024 * 1024, length: 64 * 1024 });
  }
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
  expect(next.point.disks[1]?.disk).toMatchObject({ format: "raw" });
  expect(await differences(bench, next)).toEqual([]);
  expect(await leftBeside(bench, next)).toEqual([]);
  base = next;
});

test("what is restored is the machine that was saved, and its next backup begins anew", async () => {
  await bench.restore(base, "copy");
  const copy = await bench.vm("copy");
  expect(copy.disks.map(({ format, sparse }) => ({ format, sparse }))).toEqual(
    base.point.disks.map(({ disk: { format, sparse } }) => ({ format, sparse })),
  );
  const saved = [...base.images.values()];
  for (const [index, { id }] of copy.disks.entries()) {
    const view = await bench.view(id);
    const image = saved[index] ?? Buffer.of();
    expect(view.subarray(0, image.length).equals(image)).toBe(true);
    expect(view.subarray(image.length).every((byte) => byte === 0)).toBe(true); // rounded up by the storage
  }
  await bench.write(0, { kind: "random", seed: "after restore", offset: 0, length: 100_000 });
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, next)).toEqual([]);
  base = next;
});

test("a base that is gone costs one comparison, and says so", async () => {
  await bench.manager.api.snapshots.delete(base.point.vm.id, snapshotOf(base), never);
  await expect.poll(async () => (await bench.lab.leftovers()).snapshots, { timeout: 20_000 }).toEqual([]);
  const compared = await bench.backup({ base });
  expect(modesOf(compared)).toEqual(["compared", "compared"]);
  expect(compared.point.disks[0]?.reason).toBe("the snapshot of the last point is gone");
  expect(await differences(bench, compared)).toEqual([]);
  await bench.write(1, { kind: "random", seed: "again", offset: 99, length: 1_000 });
  const next = await bench.backup({ base: compared });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, next)).toEqual([]);
  base = next;
});

test("a foreign snapshot in between costs one comparison, and stays", async () => {
  const { id: vmId } = base.point.vm;
  const { id } = await bench.manager.api.snapshots.create(vmId, { description: "before the update" }, never);
  const isOk = async (): Promise<boolean> => (await bench.manager.api.snapshots.find(vmId, id, never))?.status === "ok";
  await expect.poll(isOk, { timeout: 20_000 }).toBe(true);
  const compared = await bench.backup({ base });
  expect(compared.point.disks[0]).toMatchObject({ mode: "compared", reason: expect.stringMatching(/lies between/) });
  expect(await differences(bench, compared)).toEqual([]);
  expect((await bench.lab.leftovers()).snapshots).toEqual([id, snapshotOf(compared)]);
  await bench.manager.api.snapshots.delete(vmId, id, never);
  const gone = async (): Promise<number> => (await bench.lab.leftovers()).snapshots.length;
  await expect.poll(gone, { timeout: 20_000 }).toBe(1);
  // The merge has renamed the volume of the base.
  await bench.write(0, { kind: "random", seed: "renamed", offset: 8_000_000, length: 5_000 });
  const next = await bench.backup({ base: compared });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, next)).toEqual([]);
  base = next;
});

test("a disk that has grown is an increment all the same", async () => {
  await bench.lab.resizeDisk("web", "0", 20 * 1024 * 1024 + 4096);
  await bench.write(0, { kind: "random", seed: "grown", offset: 18 * 1024 * 1024, length: 4_096 });
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
  expect(next.point.disks[0]?.disk.logicalBytes).toBe(20 * 1024 * 1024 + 4096);
  expect(await differences(bench, next)).toEqual([]);
  base = next;
});

test("a disk that was left out is compared with nothing, and the others stay incremental", async () => {
  const [first = ""] = base.point.disks.map(({ disk }) => disk.id);
  const without = await bench.backup({ base, exclude: [first] });
  expect(modesOf(without)).toEqual(["incremental"]);
  const next = await bench.backup({ base: without });
  expect(modesOf(next)).toEqual(["full", "incremental"]);
  expect(await differences(bench, next)).toEqual([]);
  expect(await leftBeside(bench, next)).toEqual([]);
  base = next;
});

test("a full backup trusts no base, and begins a new chain", async () => {
  const full = await bench.backup({ base, full: true });
  expect(modesOf(full)).toEqual(["full", "full"]);
  expect(await differences(bench, full)).toEqual([]);
  expect(await leftBeside(bench, full)).toEqual([]);
  base = full;
});

test("where no increment is planned, no snapshot stays, neither the new one nor the last one's", async () => {
  const last = await bench.backup({ base, keepBase: false });
  expect(modesOf(last)).toEqual(["incremental", "incremental"]);
  expect(last.point.disks.map(({ base: marker }) => marker)).toEqual([undefined, undefined]);
  expect((await bench.lab.leftovers()).snapshots).toEqual([]);
  expect(await leftBeside(bench)).toEqual([]);
  base = await bench.backup({ base: last });
  expect(modesOf(base)).toEqual(["compared", "compared"]);
});

test("a point cannot make the next run remove a snapshot that no run made", async () => {
  const { id: vmId } = base.point.vm;
  const { id } = await bench.manager.api.snapshots.create(vmId, { description: "of a person" }, never);
  const isOk = async (): Promise<boolean> => (await bench.manager.api.snapshots.find(vmId, id, never))?.status === "ok";
  await expect.poll(isOk, { timeout: 20_000 }).toBe(true);
  const disks = base.point.disks.map((record) => ({ ...record, base: { ...record.base, snapshotId: id } }));
  const forged = { ...base, point: { ...base.point, disks } };
  const next = await bench.backup({ base: forged });
  expect((await bench.lab.leftovers()).snapshots).toContain(id);
  expect(await differences(bench, next)).toEqual([]);
});

test("a virtual machine that is off is backed up as well", async () => {
  const off = await Bench.open({ down: true });
  try {
    const first = await off.backup();
    expect(first.point.consistency).toBe("offline");
    const second = await off.backup({ base: first });
    expect(modesOf(second)).toEqual(["incremental", "incremental"]);
    expect(await differences(off, second)).toEqual([]);
    expect(await leftBeside(off, second)).toEqual([]);
  } finally {
    await off.close();
  }
});
