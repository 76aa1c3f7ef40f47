import { join } from "node:path";

import { expect, test } from "vitest";

import { MemoryStore } from "@ovault/testkit";

import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { litter } from "@ovault/test-support/repository/litter";
import { ALL, BlockSite } from "@ovault/test-support/repository/block-site";
import { markHoldersDead } from "../support/mark-holders-dead.ts";
import { countSteps, forEachKill, killAt } from "../support/killed-child.ts";
import { layDown, pickUp, temporaryDirectory } from "../support/objects-on-disk.ts";

const KILLS = 70;

test(
  `kill -9 at ${KILLS} steps of a prune costs no point, and the next prune finishes`,
  { timeout: 240_000 },
  async () => {
    const directory = await temporaryDirectory();
    const site = await BlockSite.open();
    await litter(site);
    await markHoldersDead(site.store);
    const points = await site.visible();

    await layDown(site.store, join(directory, "unharmed"));
    const killable = (name: string) => ({
      program: "maintain-repository.ts",
      args: ["prune", join(directory, name)],
      directory,
    });
    const steps = await countSteps(killable("unharmed"));
    await forEachKill({ steps, kills: KILLS }, async (kill, step) => {
      const name = `killed-${kill}`;
      await layDown(site.store, join(directory, name));
      await killAt(killable(name), step);
      const struck = site.at(new MemoryStore());
      await pickUp(struck.store, join(directory, name));
      expect(await struck.visible()).toEqual(points);
      expect(await brokenPoints(struck.store)).toEqual([]);
      await struck.prune({ repack: ALL });
      expect(await struck.visible()).toEqual(points);
      expect(await wrongs(struck.store)).toEqual([]);
    });
    await site.close();
  },
);
