import { join } from "node:path";

import { expect, test } from "vitest";

import { MemoryStore } from "@ovault/testkit";

import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { ALL, BlockSite } from "@ovault/test-support/repository/block-site";
import { countSteps, forEachKill, killAt } from "../support/killed-child.ts";
import { layDown, pickUp, temporaryDirectory } from "../support/objects-on-disk.ts";

const VM = "vm-1";

test.each([
  ["an incremental backup", { tracks: true }],
  ["a backup that compares", { tracks: false }],
  ["a full backup", { full: true }],
])(
  "kill -9 at every step of %s costs no point, the next one works, and prune takes away what is left",
  { timeout: 240_000 },
  async (_, how) => {
    const directory = await temporaryDirectory();
    const site = await BlockSite.open();
    await site.backUp({ vm: VM, blocks: [1, 2, 3, 4, 0, 5] });
    await site.backUp({ vm: VM, blocks: [1, 2, 6, 4, 0, 5] });
    await site.backUp({ vm: "vm-2", blocks: [3, 7, 8] });
    const points = await site.visible();

    // Blocks that are known, new, zeros, and those of the other machine.
    const run = JSON.stringify({ vm: VM, blocks: [9, 2, 0, 7, 10, 11], ...how });
    const killable = (name: string) => ({
      program: "back-up-blocks.ts",
      args: [join(directory, name), run],
      directory,
    });
    await layDown(site.store, join(directory, "unharmed"));
    const steps = await countSteps(killable("unharmed"));
    await forEachKill({ steps, kills: steps }, async (kill, step) => {
      const name = `killed-${kill}`;
      await layDown(site.store, join(directory, name));
      await killAt(killable(name), step);
      const struck = site.at(new MemoryStore());
      await pickUp(struck.store, join(directory, name));
      expect(await struck.visible()).toEqual(expect.arrayContaining([...points]));
      expect(await brokenPoints(struck.store)).toEqual([]);
      const next = await struck.backUp({ vm: VM, blocks: [9, 12, 0, 7, 10, 13], ...how });
      await struck.prune({ repack: ALL });
      expect(await struck.visible()).toEqual(expect.arrayContaining([...points, next.id]));
      expect(await wrongs(struck.store)).toEqual([]);
    });
    await site.close();
  },
);
