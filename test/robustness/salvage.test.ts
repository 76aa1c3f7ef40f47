import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { treeOf } from "../support/tree.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let witness: Witness;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 4 * MIB }] } });
  witness = new Witness(site);
});
afterAll(() => site.stop());

async function backUp(megabyte: number) {
  await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: megabyte * MIB, length: MIB });
  const view = await witness.look("web01");
  const point = await site.backUp("web01");
  await witness.attribute(view);
  return point;
}

/** The blocks that were stored last, gone. */
async function loseBlocks(before: Readonly<Record<string, unknown>>): Promise<void> {
  for (const name of Object.keys(await treeOf(site.repositoryDirectory))) {
    const path = join(site.repositoryDirectory, name);
    if (name in before || !name.startsWith("packs/")) continue;
    if ((await readFile(path))[9] === 1) await rm(path);
  }
}

test("a machine whose point lost blocks is saved with holes, and whole again once a backup has brought them back", async () => {
  const older = await backUp(0);
  const before = await treeOf(site.repositoryDirectory);
  const damaged = await backUp(2);
  await loseBlocks(before);
  const repaired = await site.ovault("repair", "--json");
  expect(repaired.exitCode).toBe(5);
  expect(JSON.parse(repaired.stdout)).toMatchObject({ lost: [{ point: damaged.id, lostBytes: MIB }] });

  await site.fail("restore", damaged.id, "--as", "refused");
  expect(await site.remains()).toEqual([]);
  const saved = await site.ovault("restore", damaged.id, "--as", "saved", "--salvage", "--json");
  expect(saved.exitCode).toBe(5);
  expect(JSON.parse(saved.stdout)).toMatchObject({
    vm: { name: "saved" },
    lost: [{ lostBytes: MIB, ranges: [{ offset: 2 * MIB, length: MIB }] }],
  });
  expect(await site.remains(["saved"])).toEqual([]);
  // The lost range was zeros before it was written.
  expect(await witness.vmDiffering(older.id, "saved")).toEqual([]);

  const healing = await backUp(3);
  expect(healing.disks).toMatchObject([{ mode: "full", reason: `the last point, ${damaged.id}, has lost data` }]);
  expect(await witness.allDiffering()).toEqual([]);
  expect(JSON.parse(await site.succeed("repair", "--json"))).toMatchObject({ lost: [], healed: [damaged.id] });
  const whole = JSON.parse(await site.succeed("restore", damaged.id, "--as", "whole", "--salvage", "--json"));
  expect(whole).toMatchObject({ lost: [] });
  expect(await witness.vmDiffering(damaged.id, "whole")).toEqual([]);
});
