import { join } from "node:path";

import { expect, test } from "vitest";

import { copyPoints, type Repository } from "@ovault/core";

import { ModelRepository, twoPoints } from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { countSteps, forEachKill, killAt } from "../support/killed-child.ts";
import { layDown, pickUp, temporaryDirectory } from "../support/objects-on-disk.ts";

const KILLS = 60;

/** Chunks that lie in more packs than they should: a block in one, a page in two. */
function storedInVain({ index }: Repository): number {
  const places = { data: new Map<number, number>(), pages: new Map<number, number>() };
  index.forEachPlace((entry, pack) => {
    const ofKind = places[index.packs.at(pack).kind];
    ofKind.set(entry, (ofKind.get(entry) ?? 0) + 1);
  });
  const beyond = (kind: "data" | "pages", copies: number): number =>
    [...places[kind].values()].filter((count) => count > copies).length;
  return beyond("data", 1) + beyond("pages", 2);
}

async function copyAll(source: ModelRepository, target: ModelRepository) {
  const from = await source.open();
  const { points } = await from.points.list(never);
  return await copyPoints({ from, to: await target.open(), points, signal: never });
}

test(
  `kill -9 at ${KILLS} steps of a copy leaves whole points only, and a second one uses what was stored`,
  { timeout: 240_000 },
  async () => {
    const directory = await temporaryDirectory();
    const source = await twoPoints();
    const all = await source.restorable();
    const target = await ModelRepository.create();
    await layDown(target.store, join(directory, "target-of-unharmed"));
    const killable = (name: string) => ({
      program: "maintain-repository.ts",
      args: ["copy", join(directory, `source-of-${name}`), join(directory, `target-of-${name}`)],
      directory,
    });
    await layDown(source.store, join(directory, "source-of-unharmed"));
    const steps = await countSteps(killable("unharmed"));
    await forEachKill({ steps, kills: KILLS }, async (kill, step) => {
      await layDown(source.store, join(directory, `source-of-${kill}`));
      await layDown(target.store, join(directory, `target-of-${kill}`));
      await killAt(killable(String(kill)), step);
      const [left, right] = [source.clone(), source.clone()];
      await pickUp(left.store, join(directory, `source-of-${kill}`));
      await pickUp(right.store, join(directory, `target-of-${kill}`));
      const { points } = await (await right.open()).points.list(never);
      expect((await right.restorable()).size).toBe(points.length);
      expect((await copyAll(left, right)).map(({ error }) => error)).toEqual([undefined, undefined]);
      expect(await right.restorable()).toEqual(all);
      expect(await left.restorable()).toEqual(all);
      expect(storedInVain(await right.open())).toBe(0);
    });
  },
);
