import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench, type Taken } from "./support/bench.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench.close();
});

function modes({ point }: Taken): Record<string, string> {
  return Object.fromEntries(point.disks.map(({ disk, mode }) => [disk.alias, mode]));
}

test("a full and a chain of increments hold what QEMU shows at each instant", async () => {
  const views: Map<string, Buffer>[] = [];
  const whenOpen = async (): Promise<void> => void views.push(await bench.viewAll());
  const first = await bench.backup({ whenOpen });
  expect(modes(first)).toEqual({ web_Disk1: "full", web_Disk2: "full" });
  expect(first.point.consistency).toBe("filesystem");

  let last = first;
  const taken = [first];
  for (const round of [1, 2, 3]) {
    await bench.write(0, { kind: "random", seed: `${round}`, offset: round * 1_000_000, length: 300_000 });
    await bench.write(0, { kind: "zero", offset: (1 + round) * 700_001, length: 70_000 });
    await bench.write(1, { kind: "pattern", pattern: round, offset: round * 65_536, length: 1_000 });
    last = await bench.backup({ base: last, whenOpen });
    taken.push(last);
    expect(modes(last)).toEqual({ web_Disk1: "incremental", web_Disk2: "compared" });
  }
  for (const [index, { images }] of taken.entries()) {
    for (const [diskId, image] of images) expect(views[index]?.get(diskId)?.equals(image)).toBe(true);
  }
  const { checkpoints, ...left } = await bench.lab.leftovers();
  expect(checkpoints).toHaveLength(1);
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
});

test("a disk that is added, one that has grown and one that was excluded cost only themselves a full read", async () => {
  const excluded = (await bench.vm()).disks.filter(({ alias }) => alias === "web_Disk2").map(({ id }) => id);
  const first = await bench.backup({ exclude: excluded });
  const { id } = await bench.lab.addDisk("web", { alias: "added", virtualBytes: 4 * 1024 * 1024, format: "cow" });
  await bench.write(2, { kind: "random", seed: "added", offset: 123_456, length: 100_000 });
  await bench.lab.resizeDisk("web", "web_Disk1", 20 * 1024 * 1024);
  await bench.write(0, { kind: "random", seed: "grown", offset: 18 * 1024 * 1024, length: 100_000 });
  const views = new Map<string, Buffer>();
  const second = await bench.backup({
    base: first,
    whenOpen: async () => {
      for (const [diskId, view] of await bench.viewAll()) views.set(diskId, view);
    },
  });
  expect(modes(second)).toEqual({ added: "full", web_Disk1: "incremental", web_Disk2: "full" });
  for (const [diskId, image] of second.images) expect(views.get(diskId)?.equals(image)).toBe(true);
  const third = await bench.backup({ base: second });
  expect(modes(third)).toEqual({ added: "incremental", web_Disk1: "incremental", web_Disk2: "compared" });
  await bench.lab.removeDisk("web", id);
  await expect.poll(async () => (await bench.vm()).disks.map((disk) => disk.id), { timeout: 20_000 }).not.toContain(id);
  const fourth = await bench.backup({ base: third });
  expect(modes(fourth)).toEqual({ web_Disk1: "incremental", web_Disk2: "compared" });
});

test("a full that is asked for trusts no checkpoint and starts a new chain", async () => {
  const first = await bench.backup();
  const full = await bench.backup({ base: first, full: true });
  expect(modes(full)).toEqual({ web_Disk1: "full", web_Disk2: "full" });
  expect(modes(await bench.backup({ base: full }))).toMatchObject({ web_Disk1: "incremental" });
});

test("a run that failed leaves no checkpoint and can never be a base", async () => {
  const first = await bench.backup();
  const before = await bench.lab.leftovers();
  await bench.write(0, { kind: "random", seed: "lost?", offset: 5_000_000, length: 50_000 });
  const failed = await bench.backup({ base: first, abandon: true });
  expect(failed.point.disks.every(({ base }) => base === undefined)).toBe(true);
  expect(await bench.lab.leftovers()).toEqual(before);
  const next = await bench.backup({ base: first });
  expect(modes(next)).toMatchObject({ web_Disk1: "incremental" });
  for (const [diskId, view] of await bench.viewAll())
    expect(view.equals(next.images.get(diskId) ?? Buffer.of())).toBe(true);
});

test("a virtual machine that is down is backed up too, and says so", async () => {
  const first = await bench.backup();
  await bench.write(0, { kind: "random", seed: "last words", offset: 6_000_000, length: 50_000 });
  await bench.lab.powerOff("web", { graceful: true });
  try {
    const second = await bench.backup({ base: first });
    expect(second.point.consistency).toBe("offline");
    expect(modes(second)).toMatchObject({ web_Disk1: "incremental" });
    for (const [diskId, view] of await bench.viewAll())
      expect(view.equals(second.images.get(diskId) ?? Buffer.of())).toBe(true);
  } finally {
    await bench.lab.powerOn("web");
  }
});
