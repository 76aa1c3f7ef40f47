import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { abortedAt } from "@ovault/test-support/aborted-at";

import { Bench, type Taken } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** Requests to the engine, and connections: to hosts, and to what they serve. */
const CHANNELS = ["undici:request:create", "net.client.socket"];

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(() => bench.close());

test("a backup cancelled at any request or connection leaves nothing, or leaves it in the ledger for the next run", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 50 }), async (k) => {
      await bench.write(0, { kind: "random", seed: `${k}`, offset: k * 100_000, length: 10_000 });
      const work = async (signal: AbortSignal): Promise<void> => {
        base = await bench.backup({ base, signal });
      };
      await abortedAt(k, work, CHANNELS);
      await bench.removeLeftovers();
      await expect.poll(() => leftBeside(bench, base), { timeout: 20_000 }).toEqual([]);
    }),
    { numRuns: 6 },
  );
  base = await bench.backup({ base });
  expect(modesOf(base)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, base)).toEqual([]);
});
