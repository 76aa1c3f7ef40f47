import { afterEach, beforeEach, expect, test } from "vitest";

import { retrying } from "@ovault/core";
import { FaultyStore } from "@ovault/testkit";

import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { litter } from "@ovault/test-support/repository/litter";
import { ALL, copyOf, DEAD, hoursLater, BlockSite } from "@ovault/test-support/repository/block-site";

let origin: BlockSite;
beforeEach(async () => {
  origin = await BlockSite.open();
  await litter(origin);
});
afterEach(() => origin.close());

/** By a clock of its own, as every prune. */
const options = () => ({ repack: ALL, clock: hoursLater(2) });

/** Calls that a whole prune makes. */
async function countCalls(): Promise<number> {
  const site = copyOf(origin);
  const counting = new FaultyStore(site.store, { call: Infinity, when: "before" });
  await site.prune(options(), counting);
  expect(await wrongs(site.store)).toEqual([]);
  return counting.calls;
}

test.each(["before", "after"] as const)(
  "a prune whose store is gone %s its k-th call has lost nothing, and the next one goes on where it was",
  async (when) => {
    const calls = await countCalls();
    expect(calls).toBeGreaterThan(80);
    for (let call = 1; call <= calls; call += 1) {
      const site = copyOf(origin);
      const dying = new FaultyStore(site.store, { call, when, forGood: true });
      await site.prune({ ...options(), process: DEAD }, dying).catch(() => undefined);
      expect({ call, broken: await brokenPoints(site.store) }).toEqual({ call, broken: [] });
      if (call % 4 === 0) await site.backUp({ blocks: [1, 2, 3, 12] });
      await site.prune({ ...options(), clock: hoursLater(4) });
      expect({ call, wrongs: await wrongs(site.store) }).toEqual({ call, wrongs: [] });
    }
  },
);

test("transient faults of single calls are repeated, even when only the reply was lost", async () => {
  const calls = await countCalls();
  for (let call = 1; call <= calls; call += 1) {
    const site = copyOf(origin);
    const when = call % 2 === 0 ? "before" : "after";
    await site.prune(
      options(),
      retrying(new FaultyStore(site.store, { call, when }), { policy: { patienceMs: 60_000, firstDelayMs: 0 } }),
    );
    expect({ call, wrongs: await wrongs(site.store) }).toEqual({ call, wrongs: [] });
  }
});
