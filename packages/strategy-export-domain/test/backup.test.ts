import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, differences, never, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;

describe.each(["3.6", "4.1", "4.3"] as const)("on oVirt %s", (engineVersion) => {
  let bench: Bench;
  let first: Taken;
  beforeAll(async () => {
    bench = await Bench.open({ engineVersion });
  });
  afterAll(() => bench.close());

  test("the assessment says that an export holds whole disks", async () => {
    const { disks } = await bench.strategy.assess(await bench.vm(), never);
    expect(disks.map(({ verdict }) => verdict)).toEqual(["full", "full"]);
  });

  test("a backup is byte for byte what the guest sees, and leaves nothing", async () => {
    first = await bench.backup();
    expect(differences(first, await bench.viewAll())).toEqual([]);
    expect(first.point.disks.map(({ mode }) => mode)).toEqual(["full", "full"]);
    expect(first.warnings).toEqual([]);
    expect(await bench.settled()).toEqual([]);
  });

  test("the next one is compared with the last point", async () => {
    await bench.write(0, { kind: "pattern", pattern: 9, offset: 5 * MIB, length: MIB });
    const next = await bench.backup({ base: first });
    expect(differences(next, await bench.viewAll())).toEqual([]);
    expect(next.point.disks.map(({ mode }) => mode)).toEqual(["compared", "compared"]);
    expect(next.point.disks[0]?.reason).toContain("an export holds whole disks");
    expect(await bench.settled()).toEqual([]);
  });
});
