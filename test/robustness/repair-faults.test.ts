import { describe, expect, test } from "vitest";

import { type ObjectStore, OvaultError } from "@ovault/contract";
import { type Repository, repairRepository, verifyRepository } from "@ovault/core";
import { FaultyStore } from "@ovault/testkit";

import { type ModelRepository, twoPoints } from "@ovault/test-support/repository/model-repository";
import { markHoldersDead } from "../support/mark-holders-dead.ts";
import { damageEverything } from "../support/damage-everything.ts";

const { signal } = new AbortController();

/** Works on a repository. Answers what must come out of it whenever it ends well. */
const operations: Readonly<Record<string, (repository: Repository) => Promise<unknown>>> = {
  "a repair": async (repository) => (await repairRepository(repository, { readData: true, signal })).lost,
  "a verification": async (repository) => {
    const { damage, chunks } = await verifyRepository(repository, { signal });
    // Names are random, and so is the order.
    return { chunks, damage: damage.map(({ reason, ...where }) => JSON.stringify(where) + reason.length).toSorted() };
  },
};

describe.each(Object.entries(operations))("%s on a store that fails at any call", (_, operate) => {
  test.each([
    ["once", "before", false],
    ["once", "after", false],
    ["from then on", "before", true],
    ["from then on", "after", true],
  ] as const)("%s, %s it takes effect, harms nothing, and the next one does it all", async (__, when, forGood) => {
    const origin = await twoPoints();
    damageEverything(origin);
    const before = await origin.restorable();
    const unharmed = origin.clone();
    const counting = new FaultyStore(unharmed.store, { call: Number.POSITIVE_INFINITY, when });
    const expected = await operate(await unharmed.open(counting));
    const whole = await unharmed.restorable();
    expect(counting.calls).toBeGreaterThan(20);
    for (let call = 1; call <= counting.calls; call += 1) {
      const model = origin.clone();
      const outcome = await attempt(model, new FaultyStore(model.store, { call, when, forGood }), operate);
      expect(outcome === "failed" || isSame(outcome, expected)).toBe(true);
      expect([...(await model.restorable())]).toEqual(expect.arrayContaining([...before]));
      await markHoldersDead((await model.open()).store);
      await operate(await model.open());
      expect(await model.restorable()).toEqual(whole);
    }
  });
});

/** What came out of it, or that it failed in a way it may fail. */
async function attempt(
  model: ModelRepository,
  store: ObjectStore,
  operate: (repository: Repository) => Promise<unknown>,
): Promise<unknown> {
  try {
    return await operate(await model.open(store));
  } catch (error) {
    if (error instanceof OvaultError) return "failed";
    throw error;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
