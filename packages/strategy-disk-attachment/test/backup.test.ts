import { stat } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { withRun } from "@ovault/testkit";

import { Bench, differences, never, sameBytes, type BenchOptions } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  describe("with two disks of both formats", () => {
    let bench: Bench;
    beforeAll(async () => {
      bench = await Bench.open();
    });
    afterAll(() => bench.close());

    test("points are what the guest saw, whatever it writes meanwhile, and leave nothing", async () => {
      const before = await bench.viewAll();
      const first = await bench.backup({
        whenOpen: () => bench.write(0, { kind: "random", seed: "meanwhile", offset: MIB, length: 300_000 }),
      });
      expect(differences(first, before)).toEqual([]);
      expect(first.point.disks.map(({ mode, reason }) => `${mode}: ${reason}`)).toEqual([
        "full: first backup of this virtual machine",
        "full: first backup of this virtual machine",
      ]);
      expect(first.point.disks.map(({ disk }) => [disk.format, disk.sparse])).toEqual([
        ["cow", true],
        ["raw", true],
      ]);
      expect(first.point.consistency).toBe("filesystem");
      expect(first.warnings).toEqual([]);
      expect(await bench.left()).toEqual([]);

      const second = await bench.backup({ base: first });
      expect(differences(second, await bench.viewAll())).toEqual([]);
      expect(second.point.disks.map(({ mode }) => mode)).toEqual(["compared", "compared"]);
      expect(second.point.disks.every(({ base }) => base === undefined)).toBe(true);
      expect(await bench.left()).toEqual([]);
    });

    test.each([1, 2])("no more than %i disks are attached at a time", async (attachedDisks) => {
      const strategy = bench.strategyWith({ attachedDisks });
      await withRun(bench.parts(strategy), { signal: never }, async ({ instant }) => {
        const sources = await instant.open(never);
        const waiting = sources.map(async (source) => {
          for await (const _ of source.extents(never));
        });
        if (attachedDisks === 2) await Promise.all(waiting);
        else await Promise.race(waiting);
        expect(await bench.attachedDevices()).toHaveLength(attachedDisks);
        for (const [index, source] of sources.entries()) {
          await Promise.race(waiting.slice(index));
          await source.release?.();
        }
        await Promise.all(waiting);
        await instant.close("complete");
      });
      expect(await bench.left()).toEqual([]);
    });

    test("a disk that is excluded is neither frozen nor attached", async () => {
      const [, second] = (await bench.vm()).disks;
      const taken = await bench.backup({ exclude: [second?.id ?? ""] });
      expect(taken.point.disks.map(({ disk }) => disk.alias)).toEqual(["web_Disk1"]);
      expect(await bench.left()).toEqual([]);
    });

    test("disks with snapshots of others, and in a chain, are read as a whole", async () => {
      const { id } = await bench.vm();
      const { snapshots, vms } = bench.manager.api;
      const theirs = await snapshots.create(id, { description: "of a user" }, never);
      await expect.poll(async () => (await snapshots.get(id, theirs.id, {}, never)).status).toBe("ok");
      await expect.poll(async () => (await vms.get(id, {}, never)).status).toBe("up");
      await bench.write(1, { kind: "random", seed: "on top", offset: 2 * MIB, length: 200_000 });
      const taken = await bench.backup();
      expect(differences(taken, await bench.viewAll())).toEqual([]);
      await snapshots.delete(id, theirs.id, never);
      await expect.poll(async () => await bench.left(), { timeout: 60_000 }).toEqual([]);
    });
  });

  test.each([
    ["4.2", { engineVersion: "4.2" }],
    ["4.3", { engineVersion: "4.3" }],
    ["4.4 as OLVM", { engineVersion: "4.4", product: "olvm" }],
    ["4.5 with a machine that is down", { down: true }],
  ] as const satisfies readonly [string, BenchOptions][])("engine %s: backup, and restore", async (_, options) => {
    const bench = await Bench.open(options);
    try {
      const views = await bench.viewAll();
      const taken = await bench.backup();
      expect(differences(taken, views)).toEqual([]);
      await bench.restore(taken, "again");
      expect(sameBytes(views, await bench.viewAll("again"))).toBe(true);
      const disks = bench.lab.vms.find(({ name }) => name === "again")?.disks ?? [];
      expect(disks.map(({ format }) => format)).toEqual(["cow", "raw"]);
      // Thin stays thin: of 8 MiB and a bit more than 4 MiB, little more than a quarter is data.
      const allocated = await Promise.all(disks.map(async ({ path }) => (await stat(path)).blocks * 512));
      expect(allocated.map((bytes) => bytes < 4 * MIB)).toEqual([true, true]);
      expect(await bench.left("again")).toEqual([]);
    } finally {
      await bench.close();
    }
  });
});
