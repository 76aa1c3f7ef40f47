import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench, never } from "./support/bench.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "4.4" });
});
afterAll(async () => {
  await bench.close();
});

test("an engine whose backups and transfers vanish at their end is served as well", async () => {
  const first = await bench.backup();
  await bench.write(0, { kind: "random", seed: "4.4", offset: 3_333_333, length: 222_222 });
  const second = await bench.backup({ base: first });
  expect(second.point.disks[0]?.mode).toBe("incremental");
  for (const [diskId, view] of await bench.viewAll())
    expect(view.equals(second.images.get(diskId) ?? Buffer.of())).toBe(true);
  await bench.lab.fault("lost-checkpoint", "once");
  const third = await bench.backup({ base: second });
  expect(third.point.disks[0]?.mode).toBe("compared");
  await bench.restore(third, "copy");
  expect((await bench.vm("copy")).disks).toHaveLength(2);
  const { checkpoints, vms, ...left } = await bench.lab.leftovers();
  expect({ checkpoints: checkpoints.length, vms }).toEqual({ checkpoints: 1, vms: ["copy"] });
  expect(Object.values(left).flat()).toEqual([]);
});

test("what a dead run left is found by its tag, as the engine took no id of ours", async () => {
  await bench.backupAndDie();
  const [action] = await bench.removeLeftovers();
  expect(action).toMatch(/^end backup of web/);
  expect((await bench.lab.leftovers()).backups).toEqual([]);
  // Before 4.4.7 only the oldest checkpoint can go: the dead run's has to wait for the last point's.
  expect(await bench.ledger.abandoned()).toMatchObject([{ kind: "checkpoint" }]);
  const assessment = await bench.strategy.assess(await bench.vm(), never);
  expect(assessment.disks.map(({ verdict }) => verdict)).toEqual(["incremental", "full"]);
});
