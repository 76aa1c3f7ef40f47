import { stat } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, type Taken } from "./support/bench.ts";
import { leftBeside } from "./support/findings.ts";

const MIB = 1024 * 1024;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const engines = [
  { engineVersion: "4.0", product: "ovirt" },
  { engineVersion: "4.1", product: "ovirt" },
  { engineVersion: "4.2", product: "ovirt" },
  { engineVersion: "4.3", product: "ovirt" },
  { engineVersion: "4.4", product: "olvm" },
  { engineVersion: "4.5", product: "ovirt" },
] as const;

describe.each(engines)("a restore on an engine $engineVersion of $product", (engine) => {
  let bench: Bench;
  let taken: Taken;

  beforeAll(async () => {
    bench = await Bench.open(engine);
    taken = await bench.backup();
  });
  afterAll(() => bench.close());

  test("fills disks of the same kind with the same bytes, and leaves nothing", async () => {
    await bench.restore(taken, "restored");
    const { disks } = await bench.vm("restored");
    expect(disks.map(({ format, sparse }) => ({ format, sparse }))).toEqual(
      taken.point.disks.map(({ disk: { format, sparse } }) => ({ format, sparse })),
    );
    const images = [...taken.images.values()];
    for (const [index, { id }] of disks.entries()) {
      const [seen, image] = [await bench.view(id), images[index] ?? Buffer.of()];
      expect(seen.subarray(0, image.length).equals(image)).toBe(true);
      // Rounded up by the storage.
      expect(seen.subarray(image.length).every((byte) => byte === 0)).toBe(true);
    }
    const restored = bench.lab.vms.find(({ name }) => name === "restored");
    for (const { path } of restored?.disks ?? []) {
      // What the guest never wrote takes no space.
      expect((await stat(path)).blocks * 512).toBeLessThan(4 * MIB);
    }
    await expect.poll(() => leftBeside(bench, taken, "restored"), { timeout: 20_000 }).toEqual([]);
  });
});
