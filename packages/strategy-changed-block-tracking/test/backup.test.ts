import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench } from "./support/bench.ts";

import type { Taken } from "./support/bench.ts";

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
  expect(first.point.consistency).toBe("crash");

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
