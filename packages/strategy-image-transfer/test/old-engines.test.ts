import { expect, test } from "vitest";

import { Bench, never } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

test.each(["4.3", "4.4"] as const)("engine %s: full, increments, a lost base and a restore", async (engineVersion) => {
  const bench = await Bench.open({ engineVersion });
  try {
    const first = await bench.backup();
    expect(modesOf(first)).toEqual(["full", "full"]);
    expect(await differences(bench, first)).toEqual([]);
    let base = first;
    for (const round of [1, 2]) {
      await bench.write(0, { kind: "random", seed: `q${round}`, offset: 3_333_333 * round, length: 222_222 });
      await bench.write(0, { kind: "zero", offset: 1024 * 1024, length: 65_536 * round });
      await bench.write(1, { kind: "random", seed: `r${round}`, offset: 1_000_000 * round, length: 77_777 });
      base = await bench.backup({ base });
      expect(modesOf(base)).toEqual(["incremental", "incremental"]);
      expect(base.point.disks.map(({ disk }) => disk.format)).toEqual(["cow", "raw"]);
      expect(await differences(bench, base)).toEqual([]);
      expect(await leftBeside(bench, base)).toEqual([]);
    }
    await bench.manager.api.snapshots.create(base.point.vm.id, { description: "of a person" }, never);
    const compared = await bench.backup({ base });
    expect(compared.point.disks[0]).toMatchObject({ mode: "compared", reason: expect.stringMatching(/lies between/) });
    expect(await differences(bench, compared)).toEqual([]);
    await bench.restore(compared, "copy");
    expect((await bench.vm("copy")).disks.map(({ format }) => format)).toEqual(["cow", "raw"]);
  } finally {
    await bench.close();
  }
});
