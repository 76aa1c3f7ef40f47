import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { abortedAt } from "@ovault/test-support/aborted-at";

import { Bench, never, type Taken } from "./support/bench.ts";

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});

/** After the leftovers are removed, there is the checkpoint of the last point, and soon nothing else of ours. */
async function expectOneCheckpointAlone(): Promise<void> {
  await bench.removeLeftovers();
  const wanted = base.point.disks.flatMap(({ base: marker }) => marker?.["checkpointId"] ?? []);
  const temporary = async (): Promise<readonly string[]> => {
    const { checkpoints, vms: _, ...left } = await bench.lab.leftovers();
    return [...checkpoints.filter((id) => !wanted.includes(id)), ...Object.values(left).flat()];
  };
  await expect.poll(temporary, { timeout: 20_000 }).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
}

/** An increment makes some fifty requests, a restore some seventy. */
const moments = fc.integer({ min: 1, max: 60 });

test("a backup cancelled at any request leaves nothing, or leaves it in the ledger for the next run to remove", async () => {
  await fc.assert(
    fc.asyncProperty(moments, async (k) => {
      await abortedAt(k, async (signal) => {
        base = await bench.backup({ base, signal, retireSignal: never });
      });
      await expectOneCheckpointAlone();
    }),
    // The 15th is sent while the backup starts: the engine has made its checkpoint, and has not named it yet.
    { numRuns: 7, examples: [[15]] },
  );
  base = await bench.backup({ base });
  for (const [diskId, view] of await bench.viewAll())
    expect(view.equals(base.images.get(diskId) ?? Buffer.of())).toBe(true);
});

test("a restore cancelled at any request leaves nothing, or leaves it in the ledger for the next run to remove", async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(moments, async (k) => {
      round += 1;
      const name = `copy${round}`;
      const { aborted } = await abortedAt(k, (signal) => bench.restore(base, name, { signal }));
      await expectOneCheckpointAlone();
      expect((await bench.vmNames()).includes(name)).toBe(!aborted);
    }),
    { numRuns: 6 },
  );
});
