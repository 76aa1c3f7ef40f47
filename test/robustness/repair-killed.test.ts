import { join } from "node:path";

import { expect, test } from "vitest";

import { twoPoints } from "@ovault/test-support/repository/model-repository";
import { repair } from "@ovault/test-support/repository/repair";
import { damageEverything } from "../support/damage-everything.ts";
import { countSteps, forEachKill, killAt } from "../support/killed-child.ts";
import { layDown, pickUp, temporaryDirectory } from "../support/objects-on-disk.ts";

const KILLS = 60;

test(
  `kill -9 at ${KILLS} steps of a repair costs no point that could be restored, and a second one finishes`,
  { timeout: 240_000 },
  async () => {
    const directory = await temporaryDirectory();
    const origin = await twoPoints();
    damageEverything(origin);
    const before = await origin.restorable();
    const repaired = origin.clone();
    const { lost } = await repair(repaired, { readData: true });
    const whole = await repaired.restorable();

    await layDown(origin.store, join(directory, "unharmed"));
    const killable = (name: string) => ({
      program: "maintain-repository.ts",
      args: ["repair", join(directory, name)],
      directory,
    });
    const steps = await countSteps(killable("unharmed"));
    await forEachKill({ steps, kills: KILLS }, async (kill, step) => {
      const name = `killed-${kill}`;
      await layDown(origin.store, join(directory, name));
      await killAt(killable(name), step);
      const model = origin.clone();
      await pickUp(model.store, join(directory, name));
      expect([...(await model.restorable())]).toEqual(expect.arrayContaining([...before]));
      expect((await repair(model, { readData: true })).lost).toEqual(lost);
      expect(await model.restorable()).toEqual(whole);
    });
  },
);
