import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { withoutElement } from "@ovault/test-support/without-element";
import type { AlterAnswer } from "@ovault/lab";

import { Bench, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 40_000, hookTimeout: 60_000 });

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(() => bench.close());
beforeEach(async () => {
  bench.lab.alterAnswers(undefined);
  await bench.write(0, { kind: "random", seed: `${Math.random()}`, offset: 2_000_000, length: 100_000 });
});

const BACKUP = /\/backups\/[^/]+$/;
const BACKUP_DISKS = /\/backups\/[^/]+\/disks$/;

async function expectIdentical(taken: Taken): Promise<void> {
  for (const [diskId, view] of await bench.viewAll())
    expect(view.equals(taken.images.get(diskId) ?? Buffer.of())).toBe(true);
}

/** Nothing of a run is on the engine or in the ledger, save the checkpoints of points. */
async function expectClean(): Promise<void> {
  const { checkpoints: _, ...left } = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
}

/** Only the next answer there. */
function once(where: RegExp, change: (xml: string) => string): void {
  bench.lab.alterAnswers((xml, { method, path }) => {
    if (method !== "GET" || !where.test(path)) return xml;
    bench.lab.alterAnswers(undefined);
    return change(xml);
  });
}

test.each(["failed", "succeeded", "finalizing"])(
  "a backup that the engine calls %s when all is read is not sealed, and leaves nothing",
  async (phase) => {
    const whenOpen = async (): Promise<void> =>
      once(BACKUP, (xml) => xml.replace("<phase>ready</phase>", `<phase>${phase}</phase>`));
    await expect(bench.backup({ base, whenOpen })).rejects.toMatchObject({ code: "E_BACKUP_FAILED" });
    await expectClean();
  },
);

test("a phase that the engine leaves out for a moment is asked for again", async () => {
  const taken = await bench.backup({
    base,
    whenOpen: async () => once(BACKUP, (xml) => xml.replace("<phase>ready</phase>", "")),
  });
  expect(taken.point.disks[0]).toMatchObject({ mode: "incremental", base: expect.anything() });
  base = taken;
});

test.each([
  ["how it takes a disk", withoutElement("backup_mode", BACKUP_DISKS)],
  ["where the backup starts", withoutElement("from_checkpoint_id", BACKUP)],
  [
    "the checkpoint that it was asked for",
    (xml, { path }) =>
      BACKUP.test(path) ? xml.replace(/<from_checkpoint_id>[^<]*/, "<from_checkpoint_id>another") : xml,
  ],
] as const satisfies readonly (readonly [string, AlterAnswer])[])(
  "an engine that does not tell %s costs a comparison, with the reason",
  async (_what, alter) => {
    bench.lab.alterAnswers(alter);
    const taken = await bench.backup({ base, whenOpen: async () => bench.lab.alterAnswers(undefined) });
    expect(taken.point.disks[0]).toMatchObject({
      mode: "compared",
      reason: expect.stringMatching(/does not (say|tell)/),
    });
    await expectIdentical(taken);
    await expectClean();
    base = taken;
  },
);

test.each([
  ["list the disks of its backup", withoutElement("disk", BACKUP_DISKS), /does not list disk/],
  ["tell their size", withoutElement("provisioned_size", BACKUP_DISKS), /does not tell the size/],
  ["say that it shows guest data", withoutElement("format", /^\/imagetransfers\/[^/]+$/), /guest data/],
] as const)("an engine that does not %s is refused, and nothing is left", async (_what, alter, message) => {
  bench.lab.alterAnswers(alter);
  await expect(bench.backup({ base })).rejects.toMatchObject({
    code: "E_ENGINE_ANSWER",
    message: expect.stringMatching(message),
  });
  bench.lab.alterAnswers(undefined);
  await expectClean();
});

test.each([
  ["does not list", withoutElement("checkpoint", /\/checkpoints$/)],
  ["calls invalid", (xml: string, { path }: { path: string }) => (path.endsWith("/checkpoints") ? invalid(xml) : xml)],
] as const)("a checkpoint that the engine %s is no base", async (_what, alter) => {
  const taken = await bench.backup({ base, whenOpen: async () => bench.lab.alterAnswers(alter) });
  bench.lab.alterAnswers(undefined);
  expect(taken.point.disks.flatMap((record) => record.base ?? [])).toEqual([]);
  expect(taken.warnings).toEqual([expect.stringMatching(/does not show the checkpoint/)]);
  await expectIdentical(taken);
  await expectClean();
  base = await bench.backup({ base: taken });
  expect(base.point.disks[0]?.mode).toBe("compared");
});

function invalid(xml: string): string {
  return xml.replaceAll("<state>created</state>", "<state>invalid</state>");
}
