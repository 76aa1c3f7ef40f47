import { OvirtManager, type Capabilities } from "@ovault/ovirt";
import { expect, test, vi } from "vitest";

import { Bench, never } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

test.each([
  { engineVersion: "4.3", rounds: [1, 2] },
  { engineVersion: "4.4", rounds: [1] },
] as const)("engine $engineVersion: full, increments, a lost base and a restore", async ({ engineVersion, rounds }) => {
  const bench = await Bench.open({ engineVersion });
  try {
    const first = await bench.backup();
    expect(modesOf(first)).toEqual(["full", "full"]);
    expect(await differences(bench, first)).toEqual([]);
    let base = first;
    for (const round of rounds) {
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

test("engine 4.2, which shows only files: full, increments, a full anew and a restore to raw disks", async () => {
  const bench = await Bench.open({ engineVersion: "4.2" });
  try {
    let base = await bench.backup();
    expect(await differences(bench, base)).toEqual([]);
    for (const full of [false, true, false]) {
      await bench.write(0, { kind: "random", seed: `${full}`, offset: 2_222_222, length: 555_555 });
      await bench.write(1, { kind: "random", seed: `${full}`, offset: 7_000_000, length: 33_333 });
      base = await bench.backup({ base, full });
      expect(modesOf(base)).toEqual(full ? ["full", "full"] : ["incremental", "incremental"]);
      expect(await differences(bench, base)).toEqual([]);
      expect(await leftBeside(bench, base)).toEqual([]);
    }
    await bench.restore(base, "copy");
    const copy = await bench.vm("copy");
    expect(copy.disks.map(({ format }) => format)).toEqual(["raw", "raw"]);
    const first = await bench.view(copy.disks[0]?.id ?? "");
    expect(first.equals([...base.images.values()][0] ?? first.subarray(1))).toBe(true);
    await bench.manager.api.snapshots.create(base.point.vm.id, { description: "of a person" }, never);
    await expect(bench.backup({ base })).rejects.toThrow(/has snapshots, and this engine shows one layer/);
    expect(await bench.ledger.abandoned()).toEqual([]);
  } finally {
    await bench.close();
  }
});

/** As 4.3.0: it takes a transfer's format, does not heed it, and does not say so. */
class DeafManager extends OvirtManager {
  override async capabilities(signal: AbortSignal): Promise<Capabilities> {
    return { ...(await super.capabilities(signal)), transferFormat: true };
  }
}

test("an engine that ignores the format: files are read as such, and QCOW2 disks are never written over", async () => {
  const bench = await Bench.open({ engineVersion: "4.2" });
  const deaf = await bench.site.managerOf(DeafManager);
  const strategy = bench.strategyWith({}, deaf);
  try {
    let base = await bench.backup({ strategy });
    await bench.write(0, { kind: "random", seed: "deaf", offset: 2_222_222, length: 555_555 });
    base = await bench.backup({ base, strategy });
    expect(modesOf(base)).toEqual(["incremental", "incremental"]);
    expect(await differences(bench, base)).toEqual([]);
    await bench.restore(base, "copy", { strategy });
    const copy = await bench.vm("copy");
    expect(copy.disks.map(({ format }) => format)).toEqual(["raw", "raw"]);
    const first = await bench.view(copy.disks[0]?.id ?? "");
    expect(first.equals([...base.images.values()][0] ?? first.subarray(1))).toBe(true);
    expect(await leftBeside(bench, base)).toEqual([]);
  } finally {
    await deaf.close();
    await bench.close();
  }
});
