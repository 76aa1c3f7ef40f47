import { LedgerError } from "@ovault/contract";
import { abortedAt } from "@ovault/test-support/aborted-at";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, differences, type Taken } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  let bench: Bench;
  let taken: Taken;
  beforeAll(async () => {
    bench = await Bench.open();
    taken = await bench.backup();
  });
  afterAll(() => bench.close());

  test("a backup cancelled at any request leaves nothing, or leaves it in the ledger for the next run", async () => {
    const { requests } = await abortedAt(-1, () => bench.backup());
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: requests }), async (k) => {
        await abortedAt(k, (signal) => bench.backup({ signal }));
        await bench.removeLeftovers();
        expect(await bench.settled()).toEqual([]);
      }),
      { numRuns: 6 },
    );
    const after = await bench.backup({ base: taken });
    expect(differences(after, await bench.viewAll())).toEqual([]);
  });

  test("a restore cancelled at any request leaves nothing, or leaves it in the ledger for the next run", async () => {
    const { requests } = await abortedAt(-1, () => bench.restore(taken, "whole"));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: requests - 5 }), async (k) => {
        run += 1;
        const name = `cancelled-${run}`;
        let finished = false;
        await abortedAt(k, async (signal) => {
          await bench.restore(taken, name, { signal });
          finished = true;
        });
        await bench.removeLeftovers();
        expect(await bench.settled("whole", ...(finished ? [name] : []))).toEqual([]);
        if (finished)
          await bench.manager.api.vms.delete(bench.idOf(name), { keepDisks: false }, AbortSignal.timeout(9e4));
      }),
      { numRuns: 4 },
    );
  });

  test("whatever is attached is in the ledger: one that fails at any step leaves nothing that cannot be removed", async () => {
    let steps = 0;
    await bench.backup({ watch: (call) => void (steps = call) });
    for (let step = 1; step <= steps; step += 1) {
      for (const when of ["before", "after"] as const) {
        const watch = (call: number, now: string): void => {
          if (call === step && now === when) throw new LedgerError(`planned fault ${when} step ${step}`);
        };
        await bench.backup({ watch, exclude: [taken.point.disks[1]?.disk.id ?? ""] }).catch(() => undefined);
        await bench.removeLeftovers();
        expect(await bench.settled("whole")).toEqual([]);
      }
    }
  });
});
