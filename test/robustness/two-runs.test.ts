import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import type { ChildCommand } from "../support/child-command.ts";
import { PracticeSite } from "../support/practice-site.ts";
import { Witness, type View } from "../support/witness.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let witness: Witness;
let view: View;
let writes = 0;
beforeAll(async () => {
  site = await PracticeSite.start({
    vms: { web01: [{ format: "qcow2", bytes: 4 * MIB }], db01: [{ format: "qcow2", bytes: 2 * MIB }] },
  });
  witness = new Witness(site);
});
afterAll(() => site.stop());

beforeEach(async () => {
  writes += 1;
  await site.lab.write("web01", "0", { kind: "random", seed: String(writes), offset: 0, length: MIB });
  view = await witness.look("web01");
});
afterEach(() => site.lab.fault("slow-extents", "off"));

/** A backup in the middle of its work, where it stays for a while. */
async function backupUnderWay(): Promise<ChildCommand> {
  await site.lab.fault("slow-extents", "on");
  const command = site.begin(["backup", "web01"]);
  while ((await site.lab.leftovers()).transfers.length === 0) await sleep(2);
  return command;
}

test("a second run on a machine is refused, harms nothing, and other machines are free", async () => {
  const first = await backupUnderWay();
  // Until the others have met it, however long they take to start.
  first.kill("SIGSTOP");
  await site.lab.fault("slow-extents", "off");
  const [failure, other] = await Promise.all([site.fail("backup", "web01"), site.ovault("backup", "db01")]);
  first.kill("SIGCONT");
  expect(failure).toMatchObject({
    exitCode: 6,
    code: "E_LEASE_HELD",
    message: expect.stringMatching(/has held virtual machine web01 since/),
    hint: expect.stringContaining("--wait"),
  });
  expect(other.exitCode).toBe(0);
  expect((await first.ended).exitCode).toBe(0);
  const points = (await site.points()).filter(({ vm }) => vm.name === "web01");
  expect(points).toHaveLength(1);
  expect(await site.remains()).toEqual([]);
});

test("with --wait it runs when the first is done", async () => {
  const before = (await site.points()).length;
  const first = await backupUnderWay();
  const second = site.begin(["backup", "web01", "--wait"]);
  expect((await first.ended).exitCode).toBe(0);
  await site.lab.fault("slow-extents", "off");
  expect((await second.ended).exitCode).toBe(0);
  const points = await site.points();
  expect(points).toHaveLength(before + 2);
  expect(points.at(-1)?.basePoint).toBe(points.at(-2)?.id);
  expect(points.at(-1)?.disks).toMatchObject([{ mode: "incremental", stats: { storedBytes: 0 } }]);
  expect(await site.remains()).toEqual([]);
});

test("what a killed run held is taken over at once, without --wait", async () => {
  await witness.attribute(new Map());
  const first = await backupUnderWay();
  first.kill("SIGKILL");
  await first.ended;
  await site.lab.fault("slow-extents", "off");
  const { id } = await site.backUp("web01");
  expect(await witness.attribute(view)).toEqual([id]);
  expect(await witness.differing(id)).toEqual([]);
  expect(await site.remains()).toEqual([]);
});
