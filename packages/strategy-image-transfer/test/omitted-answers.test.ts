import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { withoutElement } from "@ovault/test-support/without-element";
import type { AlterAnswer } from "@ovault/lab";

import { Bench, never, type Taken } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

vi.setConfig({ testTimeout: 40_000, hookTimeout: 120_000 });

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

const SNAPSHOT_DISKS = /\/snapshots\/[^/]+\/disks$/;

/** Answers of the engine that leave something out, and what the run makes of it. */
test.each([
  ["the storage domains of a snapshot's disks", withoutElement("storage_domains", SNAPSHOT_DISKS)],
  ["what a volume lies on", withoutElement("parent", /\/disksnapshots\//)],
  ["the status of the last point's snapshot", withoutElement("snapshot_status", /\/snapshots\/[^/]+$/)],
] as const)("an engine that does not tell %s costs a comparison, with the reason", async (_what, alter) => {
  // Of another client: what was written before it lies in no layer of ours.
  const vmId = base.point.vm.id;
  const foreign = await bench.manager.api.snapshots.create(vmId, { description: "of a user" }, never);
  const made = async (): Promise<string | undefined> =>
    (await bench.manager.api.snapshots.find(vmId, foreign.id, never))?.status;
  await expect.poll(made, { timeout: 20_000 }).toBe("ok");
  // What the strategy itself waits for must be told.
  let isTaken = false;
  bench.lab.alterAnswers((xml, request) => {
    if (request.method === "GET" && SNAPSHOT_DISKS.test(request.path)) isTaken = true;
    return isTaken ? alter(xml, request) : xml;
  });
  const taken = await bench.backup({ base, keepBase: false, whenOpen: async () => bench.lab.alterAnswers(undefined) });
  expect(modesOf(taken)).toEqual(["compared", "compared"]);
  for (const { reason } of taken.point.disks) expect(reason).not.toBe("");
  expect(await differences(bench, taken)).toEqual([]);
  await bench.manager.api.snapshots.delete(vmId, foreign.id, never);
  await expect.poll(made, { timeout: 20_000 }).toBeUndefined();
  base = await bench.backup({ base: taken });
});

test("an old snapshot is not merged as long as the engine does not report the state of its disks", async () => {
  const old = String(base.point.disks[0]?.base?.["snapshotId"]);
  const alter: AlterAnswer = (xml, { path }) => (path.endsWith(`/snapshots/${old}/disks`) ? "<something-else/>" : xml);
  // The plan must know them; from then on the engine does not report them.
  const taken = await bench.backup({ base, whenOpen: async () => bench.lab.alterAnswers(alter) });
  expect(taken.warnings).toEqual([expect.stringMatching(/an old snapshot of web is still there/)]);
  expect((await bench.lab.leftovers()).snapshots).toContain(old);
  bench.lab.alterAnswers(undefined);
  await bench.removeLeftovers();
  expect(await leftBeside(bench, taken)).toEqual([]);
  base = taken;
});

test("a disk of a snapshot without a size is refused, and not taken with that of the inventory", async () => {
  bench.lab.alterAnswers(withoutElement("provisioned_size", SNAPSHOT_DISKS));
  await expect(bench.backup({ base })).rejects.toMatchObject({
    code: "E_ENGINE_ANSWER",
    message: expect.stringMatching(/does not tell the size/),
  });
  bench.lab.alterAnswers(undefined);
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a snapshot that lists no disks is refused", async () => {
  bench.lab.alterAnswers(withoutElement("disk", SNAPSHOT_DISKS));
  await expect(bench.backup({ base })).rejects.toMatchObject({ message: expect.stringMatching(/does not hold disk/) });
  bench.lab.alterAnswers(undefined);
  expect(await leftBeside(bench, base)).toEqual([]);
});

/** What the run hears when all is read; afterwards it cleans up on an engine that says what is. */
test.each([
  "finished_failure",
  "cancelled_user",
  "cancelled_system",
  "paused_system",
  "finalizing_failure",
  "a_phase_of_a_later_engine",
])("a transfer that is %s when all is read is not sealed", async (phase) => {
  const sayOnce = async (): Promise<void> => {
    bench.lab.alterAnswers((xml, { method, path }) => {
      if (method !== "GET" || !/^\/imagetransfers\/[^/]+$/.test(path)) return xml;
      bench.lab.alterAnswers(undefined);
      return xml.replace("<phase>transferring</phase>", `<phase>${phase}</phase>`);
    });
  };
  await expect(bench.backup({ base, whenOpen: sayOnce })).rejects.toMatchObject({
    code: "E_TRANSFER_ENDED",
    message: expect.stringContaining(phase),
  });
  expect(await leftBeside(bench, base)).toEqual([]);
});

test.each([
  ["another volume", (xml: string) => xml.replaceAll(/<image_id>.*?<\/image_id>/g, "<image_id>other</image_id>")],
  ["another size", (xml: string) => xml.replaceAll(/<provisioned_size>\d+</g, "<provisioned_size>512<")],
  ["no disk", (xml: string) => xml.replaceAll(/<disk .*?<\/disk>/gs, "")],
])("a snapshot that has %s when all is read is not sealed", async (_what, change) => {
  const alterOnce = async (): Promise<void> => {
    bench.lab.alterAnswers((xml, { path }) => {
      if (!SNAPSHOT_DISKS.test(path)) return xml;
      bench.lab.alterAnswers(undefined);
      return change(xml);
    });
  };
  await expect(bench.backup({ base, whenOpen: alterOnce })).rejects.toMatchObject({
    code: "E_MANAGER",
    message: expect.stringMatching(/snapshot/),
  });
  expect(await leftBeside(bench, base)).toEqual([]);
});

test.each([
  ["no events at all", withoutElement("event", /^\/events/)],
  ["events without a severity", withoutElement("severity", /^\/events/)],
])("an engine that shows %s does not prove that the guest was at rest", async (_what, alter) => {
  bench.lab.alterAnswers(alter);
  const taken = await bench.backup({ base });
  expect(taken.point.consistency).toBe("crash");
  await expect(bench.backup({ base: taken, quiesce: "require" })).rejects.toMatchObject({ code: "E_QUIESCE" });
  bench.lab.alterAnswers(undefined);
  base = taken;
  expect((await bench.backup({ base, keepBase: false })).point.consistency).toBe("filesystem");
  base = await bench.backup();
});
