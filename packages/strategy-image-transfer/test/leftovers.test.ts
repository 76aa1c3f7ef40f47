import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench } from "./support/bench.ts";
import { leftBeside } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench.close();
});

test("what a dead backup left is found and removed: transfers, then the snapshot; the last point stays a base", async () => {
  const base = await bench.backup();
  await bench.backupAndDie({ base });
  expect((await bench.lab.leftovers()).transfers).toHaveLength(2);
  const actions = await bench.removeLeftovers();
  expect(actions).toEqual([
    expect.stringMatching(/^cancel the download of disk/),
    expect.stringMatching(/^cancel the download of disk/),
    expect.stringMatching(/^remove the snapshot of web/),
  ]);
  expect(await leftBeside(bench, base)).toEqual([]);
  expect(await bench.removeLeftovers()).toEqual([]);
  const next = await bench.backup({ base });
  expect(next.point.disks.map(({ mode }) => mode)).toEqual(["incremental", "incremental"]);
});

test("what a dead restore left is removed", async () => {
  const taken = await bench.backup({ keepBase: false });
  const die = bench.restore(taken, "copy", {
    instead: async () => {
      throw new Error("as if killed");
    },
    abandon: true,
  });
  await expect(die).rejects.toThrow("as if killed");
  expect((await bench.lab.leftovers()).unattachedDisks).toHaveLength(2);
  await bench.removeLeftovers();
  expect((await bench.lab.leftovers()).unattachedDisks).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
});
