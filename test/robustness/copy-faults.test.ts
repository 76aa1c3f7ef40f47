import { describe, expect, test } from "vitest";

import { copyPoints, type CopyResult, type ObjectStore, OvaultError } from "@ovault/core";
import { FaultyStore } from "@ovault/testkit";

import { ModelRepository, twoPoints } from "../../packages/core/test/support/model-repository.ts";
import { buryHolders } from "../support/bury-holders.ts";

const { signal } = new AbortController();

interface Stores {
  readonly from?: ObjectStore;
  readonly to?: ObjectStore;
}

async function copyAll(
  source: ModelRepository,
  target: ModelRepository,
  stores: Stores = {},
): Promise<readonly CopyResult[]> {
  const from = await source.open(stores.from);
  const { points } = await from.points.list(signal);
  return await copyPoints({ from, to: await target.open(stores.to), points, signal });
}

/** True when all was copied; otherwise it failed in a way it may fail. */
async function succeeds(...args: Parameters<typeof copyAll>): Promise<boolean> {
  try {
    const errors = (await copyAll(...args)).flatMap(({ error }) => (error === undefined ? [] : [error]));
    for (const error of errors) if (!(error instanceof OvaultError)) throw error;
    return errors.length === 0;
  } catch (error) {
    if (error instanceof OvaultError) return false;
    throw error;
  }
}

describe.each([
  ["source", "from"],
  ["destination", "to"],
] as const)("a copy whose %s fails at any call", (_, side) => {
  test.each([
    ["once", "before", false],
    ["once", "after", false],
    ["from then on", "before", true],
    ["from then on", "after", true],
  ] as const)(
    "%s, %s it takes effect, leaves whole points only, and the next one does it all",
    async (__, when, forGood) => {
      const source = await twoPoints();
      const all = await source.restorable();
      const empty = await ModelRepository.create({ encrypted: side === "to" });
      const pair = () => {
        const [from, to] = [source.clone(), empty.clone()];
        for (const [id, bytes] of source.content) to.content.set(id, bytes);
        return { from, to };
      };
      const unharmed = pair();
      const counting = new FaultyStore(unharmed[side].store, { call: Number.POSITIVE_INFINITY, when });
      expect(await succeeds(unharmed.from, unharmed.to, { [side]: counting })).toBe(true);
      expect(counting.calls).toBeGreaterThan(20);
      for (let call = 1; call <= counting.calls; call += 1) {
        const { from, to } = pair();
        const faulty = new FaultyStore({ from, to }[side].store, { call, when, forGood });
        const done = await succeeds(from, to, { [side]: faulty });
        const { points } = await (await to.open()).points.list(signal);
        expect((await to.restorable()).size).toBe(points.length);
        expect(!done || points.length === all.size).toBe(true);
        for (const model of [from, to]) await buryHolders((await model.open()).store);
        expect(await succeeds(from, to)).toBe(true);
        expect(await to.restorable()).toEqual(all);
        expect(await from.restorable()).toEqual(all);
      }
    },
  );
});
