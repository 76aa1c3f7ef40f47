import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { BlockDevices } from "./support/block-devices.ts";
import { Bench, differences, sameBytes } from "./support/bench.ts";
import { canLoop, canShowDevices } from "./support/needs.ts";

const MIB = 1024 * 1024;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describe.skipIf(!(await canShowDevices()) || !(await canLoop()))("with real block devices", () => {
  let bench: Bench;
  let devices: BlockDevices;
  beforeAll(async () => {
    bench = await Bench.open();
    devices = await BlockDevices.start(bench.devices, join(bench.lab.directory, "by-id"));
  });
  afterAll(async () => {
    await devices.stop();
    await bench.close();
  });

  test("a machine is backed up, and restored, byte for byte", async () => {
    // Preallocated: its zeros are written.
    await bench.lab.addDisk("web", { alias: "web_Disk3", virtualBytes: 5 * MIB, format: "raw" });
    await bench.write(2, { kind: "random", seed: "three", offset: 4 * MIB, length: 500_000 });
    const strategy = bench.strategyWith({ deviceDirectory: devices.directory, attachedDisks: 3 });
    const views = await bench.viewAll();
    const taken = await bench.backup({ strategy });
    expect(differences(taken, views)).toEqual([]);
    await bench.restore(taken, "again", { strategy });
    expect(sameBytes(views, await bench.viewAll("again"))).toBe(true);
    expect(await bench.left("again")).toEqual([]);
  });
});
