import { abortedAt } from "@ovault/test-support/aborted-at";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench, differences, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let bench: Bench;
let taken: Taken;
beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "3.6" });
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
    { numRuns: 8 },
  );
  const after = await bench.backup({ base: taken });
  expect(differences(after, await bench.viewAll())).toEqual([]);
});

test("a restore cancelled at any request leaves nothing, or leaves it in the ledger for the next run", async () => {
  const wishes = { import: true };
  const { requests } = await abortedAt(-1, () => bench.restore(taken, "whole", { wishes }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: requests }), async (k) => {
      run += 1;
      const name = `cancelled-${run}`;
      let finished = false;
      await abortedAt(k, async (signal) => {
        await bench.restore(taken, name, { wishes, signal });
        finished = true;
      });
      await bench.removeLeftovers();
      expect(await bench.settled("whole", ...(finished ? [name] : []))).toEqual([]);
      if (finished) {
        await bench.manager.api.vms.delete(bench.idOf(name), { keepDisks: false }, AbortSignal.timeout(9e4));
      }
    }),
    { numRuns: 6 },
  );
});
