import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench } from "./support/bench.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench.close();
});

test("what a dead backup left is found by its tag and removed, and the next backup runs", async () => {
  await bench.backupAndDie();
  expect((await bench.lab.leftovers()).transfers).toHaveLength(2);
  const actions = await bench.removeLeftovers();
  expect(actions[0]).toMatch(/^end backup of web/);
  const left = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
  expect(await bench.removeLeftovers()).toEqual([]);
  await bench.backup();
});

test("what a dead restore left is removed: uploads, disks and the virtual machine", async () => {
  const taken = await bench.backup();
  const die = bench.restore(taken, "copy", {
    instead: async () => {
      throw new Error("as if killed");
    },
    abandon: true,
  });
  await expect(die).rejects.toThrow("as if killed");
  expect((await bench.lab.leftovers()).unattachedDisks).toHaveLength(2);
  await bench.removeLeftovers();
  const { checkpoints: _, ...left } = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
});
