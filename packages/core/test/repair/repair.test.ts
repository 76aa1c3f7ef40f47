import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { lossesOfMarked, type RepairReport } from "@ovault/core";

import {
  arbitraryHarms,
  harm,
  type ModelRepository,
  threePoints,
} from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { repair } from "@ovault/test-support/repository/repair";

/** `POINT/NUMBER` of each disk that a report says has lost data. */
function lostDisks({ lost }: Pick<RepairReport, "lost">): ReadonlySet<string> {
  return new Set(lost.flatMap(({ point, disks }) => disks.map(({ disk }) => `${point}/${disk.slice("disk-".length)}`)));
}

/** The same of all disks of all points that have a manifest. */
async function disksOf(model: ModelRepository): Promise<ReadonlySet<string>> {
  const { points } = await (await model.open()).points.list(never);
  return new Set(points.flatMap(({ id, disks }) => disks.map((_, number) => `${id}/${number}`)));
}

/** The same of all disks that `ovault points` shows as damaged. */
async function markedDisks(model: ModelRepository): Promise<ReadonlySet<string>> {
  const repository = await model.open();
  const { points } = await repository.points.list(never);
  const losses = [...(await lossesOfMarked(repository, points, never))];
  return lostDisks({
    lost: losses.map(([point, disks]) => ({
      point,
      disks,
      vm: { id: "", name: "", manager: "" },
      takenAt: "",
      lostBytes: 0,
    })),
  });
}

/** What lies in a store, but for leases. */
function contentOf({ store }: ModelRepository): Map<string, Uint8Array> {
  return new Map([...store.objects].filter(([key]) => !key.startsWith("leases/")));
}

describe.each([
  ["in the clear", false],
  ["encrypted", true],
])("a repository %s, whatever of it is harmed,", (_, encrypted) => {
  test("is never made worse, loses only what is said to be lost, and is repaired in one go", async () => {
    const origin = await threePoints({ encrypted });
    await fc.assert(
      fc.asyncProperty(arbitraryHarms, arbitraryHarms, fc.boolean(), async (earlier, later, readData) => {
        const model = origin.clone();
        for (const each of earlier) harm(model.store, each);
        // Leaves records, which are harmed too.
        if (earlier.length > 0) await repair(model, { readData: true });
        for (const each of later) harm(model.store, each);
        const before = await model.restorable();
        const report = await repair(model, { readData });
        const after = await model.restorable();
        expect([...after]).toEqual(expect.arrayContaining([...before]));
        const lost = lostDisks(report);
        expect(await markedDisks(model)).toEqual(lost);
        const [there, known] = [await disksOf(model), new Set([...after, ...lost])];
        expect(after.size + lost.size).toBe(known.size);
        expect([...known].every((disk) => there.has(disk))).toBe(true);
        expect(readData ? known : there).toEqual(there);
        const repaired = contentOf(model);
        const again = await repair(model, { readData });
        expect(contentOf(model)).toEqual(repaired);
        expect(lostDisks(again)).toEqual(lost);
        expect(again).toMatchObject({ index: [], packsListed: 0, healed: [], records: [], leases: [] });
        expect(again.places.known).toBe(report.places.known);
      }),
      { numRuns: 20 },
    );
  });

  test("is left as it is by a dry run, which tells what a repair finds", async () => {
    const origin = await threePoints({ encrypted });
    await fc.assert(
      fc.asyncProperty(arbitraryHarms, async (harms) => {
        const model = origin.clone();
        for (const each of harms) harm(model.store, each);
        const before = new Map(model.store.objects);
        const told = await repair(model, { readData: true, dryRun: true });
        expect(model.store.objects).toEqual(before);
        const { dryRun, ...done } = await repair(model, { readData: true });
        expect(dryRun).toBe(false);
        expect({ ...told, foreign: done.foreign }).toEqual({ ...done, dryRun: true });
      }),
      { numRuns: 12 },
    );
  });
});
