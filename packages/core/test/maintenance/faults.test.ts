import { afterEach, beforeEach, expect, test } from "vitest";

import { retrying } from "@ovault/core";
import { FaultyStore } from "@ovault/testkit";

import { brokenPoints, wrongs } from "./support/inspect.ts";
import { litter } from "./support/litter.ts";
import { ALL, copyOf, DEAD, hoursLater, Yard } from "./support/yard.ts";

let origin: Yard;
beforeEach(async () => {
  origin = await Yard.open();
  await litter(origin);
});
afterEach(() => origin.close());

/** By a clock of its own, as every prune. */
const options = () => ({ repack: ALL, clock: hoursLater(2) });

/** Calls that a whole prune makes. */
async function countCalls(): Promise<number> {
  const yard = copyOf(origin);
  const counting = new FaultyStore(yard.store, { call: Infinity, when: "before" });
  await yard.prune(options(), counting);
  expect(await wrongs(yard.store)).toEqual([]);
  return counting.calls;
}

test.each(["before", "after"] as const)(
  "a prune whose store is gone %s its k-th call has lost nothing, and the next one goes on where it was",
  async (when) => {
    const calls = await countCalls();
    expect(calls).toBeGreaterThan(80);
    for (let call = 1; call <= calls; call += 1) {
      const yard = copyOf(origin);
      const dying = new FaultyStore(yard.store, { call, when, forGood: true });
      await yard.prune({ ...options(), process: DEAD }, dying).catch(() => undefined);
      expect({ call, broken: await brokenPoints(yard.store) }).toEqual({ call, broken: [] });
      if (call % 4 === 0) await yard.backUp({ blocks: [1, 2, 3, 12] });
      await yard.prune({ ...options(), clock: hoursLater(4) });
      expect({ call, wrongs: await wrongs(yard.store) }).toEqual({ call, wrongs: [] });
    }
  },
);

test("transient faults of single calls are repeated, even when only the reply was lost", async () => {
  const calls = await countCalls();
  for (let call = 1; call <= calls; call += 1) {
    const yard = copyOf(origin);
    const when = call % 2 === 0 ? "before" : "after";
    await yard.prune(
      options(),
      retrying(new FaultyStore(yard.store, { call, when }), { policy: { patienceMs: 60_000, firstDelayMs: 0 } }),
    );
    expect({ call, wrongs: await wrongs(yard.store) }).toEqual({ call, wrongs: [] });
  }
});
