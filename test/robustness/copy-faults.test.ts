import { describe, expect, test } from "vitest";

import { type ObjectStore, OvaultError } from "@ovault/contract";
import { copyPoints, type CopyResult } from "@ovault/core";
import { FaultyStore } from "@ovault/testkit";

import { ModelRepository, twoPoints } from "@ovault/test-support/repository/model-repository";
import { markHoldersDead } from "../support/mark-holders-dead.ts";

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

/** The second one is copied on top of it. */
async function targetWithFirstPoint(source: ModelRepository, options: { readonly encrypted: boolean }) {
  const target = await ModelRepository.create(options);
  const from = await source.open();
  const points = (await from.points.list(signal)).points.slice(0, 1);
  await copyPoints({ from, to: await target.open(), points, signal });
  for (const [id, bytes] of source.content) target.content.set(id, bytes);
  return target;
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
      const prepared = await targetWithFirstPoint(source, { encrypted: side === "to" });
      const unharmed = { from: source.clone(), to: prepared.clone() };
      const counting = new FaultyStore(unharmed[side].store, { call: Number.POSITIVE_INFINITY, when });
      expect(await succeeds(unharmed.from, unharmed.to, { [side]: counting })).toBe(true);
      expect(counting.calls).toBeGreaterThan(20);
      for (let call = 1; call <= counting.calls; call += 1) {
        const pair = { from: source.clone(), to: prepared.clone() };
        const faulty = new FaultyStore(pair[side].store, { call, when, forGood });
        const done = await succeeds(pair.from, pair.to, { [side]: faulty });
        const { points } = await (await pair.to.open()).points.list(signal);
        expect((await pair.to.restorable()).size).toBe(points.length);
        expect(points.length).toBeGreaterThanOrEqual(done ? all.size : 1);
        for (const model of [pair.from, pair.to]) await markHoldersDead((await model.open()).store);
        expect(await succeeds(pair.from, pair.to)).toBe(true);
        expect(await pair.to.restorable()).toEqual(all);
      }
    },
  );
});
