import { missingForNfsDisks } from "@ovault/test-support/nfs-needs";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { migrateInstant, stopInstant, type InstantMachine } from "../src/index.ts";
import { Bench } from "./support/bench.ts";
import { FaultyManager, type Fault } from "./support/faulty-manager.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

const missing = await missingForNfsDisks();
const faults = (most: number): fc.Arbitrary<Fault> =>
  fc.record({ atChange: fc.integer({ min: 1, max: most }), kind: fc.constantFrom("dead", "dies", "lost") });
const each = (kind: Fault["kind"], ...changes: readonly number[]): [Fault][] =>
  changes.map((atChange) => [{ atChange, kind }]);

describe.skipIf(missing.length > 0)("a process that is killed, or an answer that is lost,", () => {
  let bench: Bench;
  let faulty: FaultyManager;
  beforeAll(async () => {
    bench = await Bench.open();
    faulty = await bench.bench.site.managerOf(FaultyManager);
  });
  afterAll(async () => {
    await faulty.close();
    await bench.close();
  });

  const stop = (machine: InstantMachine, fault?: Fault): Promise<unknown> =>
    bench.inRun<unknown>((context) => {
      const end = (manager = bench.bench.manager): Promise<boolean> =>
        stopInstant(manager, machine, { patienceMs: 0 }, context);
      return fault === undefined ? end() : faulty.outlive(end, fault);
    });
  const migrate = (machine: InstantMachine, fault?: Fault): Promise<unknown> =>
    bench.inRun<unknown>((context) => {
      const move = (manager = bench.bench.manager): Promise<boolean> =>
        migrateInstant(manager, machine, { to: "lab-storage" }, context);
      return fault === undefined ? move() : faulty.outlive(move, fault);
    });

  test("at any change of a restore leaves nothing that leftovers do not remove", async () => {
    await fc.assert(
      fc.asyncProperty(faults(16), async (fault) => {
        bench.kept = undefined;
        const end = await bench.inRun((context) =>
          faulty.outlive((manager) => bench.restore("ir", { context, manager }), fault),
        );
        if (end === "succeeded" && bench.kept !== undefined) await stop(bench.kept);
        else await bench.removeLeftovers();
        expect(await bench.left()).toEqual([]);
        await bench.emptyShare();
      }),
      { numRuns: 18, examples: [...each("dies", 1, 2, 3, 5), ...each("dead", 1, 6), ...each("lost", 1, 2, 3, 5)] },
    );
  });

  test("at any change of a migration is taken up by the next one, which keeps the data", async () => {
    await fc.assert(
      fc.asyncProperty(faults(6), fc.boolean(), async (fault, byLeftovers) => {
        const machine = await bench.inRun((context) => bench.restore("ir", { context }));
        const written = await bench.bench.viewAll("ir");
        await migrate(machine, fault);
        if (byLeftovers) await bench.removeLeftovers();
        expect(await migrate(machine)).toBe(true);
        expect(await bench.bench.viewAll("ir")).toEqual(written);
        await bench.removeLeftovers();
        expect(await bench.left("ir")).toEqual([]);
        await stop(machine);
        expect(await bench.left()).toEqual([]);
        await bench.emptyShare();
      }),
      { numRuns: 4 },
    );
  });

  test("at any change of an end leaves what leftovers finish, or the next one", async () => {
    await fc.assert(
      fc.asyncProperty(faults(6), fc.boolean(), async (fault, byLeftovers) => {
        const machine = await bench.inRun((context) => bench.restore("ir", { context }));
        await stop(machine, fault);
        if (byLeftovers) await bench.removeLeftovers();
        else await stop(machine);
        await bench.removeLeftovers();
        await stop(machine);
        expect(await bench.left()).toEqual([]);
        await bench.emptyShare();
      }),
      { numRuns: 6 },
    );
  });
});
