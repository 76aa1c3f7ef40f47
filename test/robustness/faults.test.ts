import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { FaultMode, FaultName } from "@ovault/lab";

import { PracticeSite } from "../support/practice-site.ts";
import { Witness, type View } from "../support/witness.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let witness: Witness;
let view: View;
let writes = 0;

beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 8 * MIB }] } });
  await site.configure(({ managers, ...rest }) => ({
    ...rest,
    managers: {
      lab: { ...managers.lab, restartBudgetMs: 1_500, hostPatienceMs: 1_500, conflictDeadlineMs: 5_000 },
    },
  }));
  witness = new Witness(site);
  const first = await guestWrites();
  await site.backUp("web01");
  await witness.attribute(first);
});
afterAll(() => site.stop());

beforeEach(async () => {
  view = await guestWrites();
});
afterEach(async () => {
  for (const { name } of await site.lab.faults()) await site.lab.fault(name, "off");
});

async function guestWrites(): Promise<View> {
  writes += 1;
  const offset = (writes % 24) * 256 * 1024 + 512;
  await site.lab.write("web01", "0", { kind: "random", seed: String(writes), offset, length: 600_064 });
  return await witness.look("web01");
}

/** Sets a fault as soon as the engine has something under way. */
async function during(fault: FaultName, mode: FaultMode, work: "backups" | "transfers"): Promise<void> {
  while ((await site.lab.leftovers())[work].length === 0) await sleep(2);
  await site.lab.fault(fault, mode);
}

describe("faults that a backup survives", () => {
  test.each([
    ["lost-checkpoint", "once", "compared", /checkpoint/],
    ["inconsistent-bitmap", "once", "compared", /checkpoint/],
    ["token-expiry", "once", "incremental", /changed since/],
    ["token-expiry", "on", "incremental", /changed since/],
    ["conflict-storm", "once", "incremental", /changed since/],
    ["conflict-storm", "on", "incremental", /changed since/],
    ["engine-restart", "once", "incremental", /changed since/],
    ["engine-503", "once", "incremental", /changed since/],
    ["transfer-cut", "once", "incremental", /changed since/],
    ["slow-extents", "on", "incremental", /changed since/],
    ["idle-close", "once", "incremental", /changed since/],
    ["idle-close", "on", "incremental", /changed since/],
    ["finalize-hang", "once", "incremental", /changed since/],
  ] as const)("%s (%s): the point is %s, and says why", async (fault, mode, diskMode, reason) => {
    await site.lab.fault(fault, mode);
    const { id, disks } = await site.backUp("web01");
    await site.lab.fault(fault, "off");
    expect(disks).toMatchObject([{ mode: diskMode, reason: expect.stringMatching(reason) }]);
    expect(await witness.attribute(view)).toEqual([id]);
    expect(await site.remains()).toEqual([]);
  });

  test("an engine that restarts while the backup runs", async () => {
    const [{ id }] = await Promise.all([site.backUp("web01"), during("engine-restart", "once", "backups")]);
    expect(await witness.attribute(view)).toEqual([id]);
    expect(await site.remains()).toEqual([]);
  });
});

test("a backup that the engine does not end any more is sealed as no base, and the next run clears up and compares", async () => {
  const command = site.begin(["backup", "web01"]);
  await command.printed("web01: finalize");
  await site.lab.fault("engine-503", "on");
  const { exitCode, stdout } = await command.ended;
  await site.lab.fault("engine-503", "off");
  expect(stdout).toMatch(/web01: warning: the backup could not be ended on the manager/);
  expect(exitCode).toBe(0);
  await witness.attribute(view);
  expect(await site.remains()).not.toEqual([]);
  view = await guestWrites();
  const { id, disks } = await site.backUp("web01");
  expect(disks).toMatchObject([{ mode: "compared", reason: expect.any(String) }]);
  expect(await witness.attribute(view)).toEqual([id]);
  expect(await site.remains()).toEqual([]);
});

describe("what ends a backup", () => {
  test.each([
    ["transfer-cut", "on", "E_IMAGEIO_CONNECTION", /the connection to imageio at .* failed/],
    ["vm-poweroff-during-backup", "once", "E_BACKUP_FAILED", /the engine ended the backup of web01/],
  ] as const)("%s (%s): a clear error, no point, and a next run that is right", async (fault, mode, code, message) => {
    await site.lab.fault(fault, mode);
    // Nothing can be read before the fault has struck.
    await site.lab.fault("slow-extents", "on");
    const failure = await site.fail("backup", "web01");
    await site.lab.fault("slow-extents", "off");
    await site.lab.fault(fault, "off");
    expect(failure).toMatchObject({
      exitCode: 3,
      code,
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
    expect(await witness.attribute(view)).toEqual([]);
    await site.lab.powerOn("web01");
    view = await witness.look("web01");
    const { id } = await site.backUp("web01");
    expect(await witness.attribute(view)).toEqual([id]);
    expect(await site.remains()).toEqual([]);
  });

  test.each(["engine-restart", "engine-503"] as const)(
    "%s that goes on while it runs: what cannot be removed is removed by the doctor later",
    async (fault) => {
      // On a busy machine the backup would be over before the fault is set.
      await site.lab.fault("slow-extents", "on");
      const [failure] = await Promise.all([site.fail("backup", "web01"), during(fault, "on", "backups")]);
      await site.lab.fault("slow-extents", "off");
      expect(failure).toMatchObject({ exitCode: 3, code: "E_MANAGER_UNAVAILABLE", hint: expect.any(String) });
      await site.lab.fault(fault, "off");
      expect(await witness.attribute(view)).toEqual([]);
      expect(await site.remains()).not.toEqual([]);
      await site.succeed("doctor", "--fix", "--yes");
      expect(await site.remains()).toEqual([]);
      const { id } = await site.backUp("web01");
      expect(await witness.attribute(view)).toEqual([id]);
      expect(await site.remains()).toEqual([]);
    },
  );
});

describe("what ends a restore", () => {
  const restored: string[] = [];

  test.each(["upload-failure", "transfer-paused-system"] as const)(
    "%s: no machine, no disk, and a next restore that is right",
    async (fault) => {
      const [point = ""] = witness.points;
      await site.lab.fault(fault, "on");
      const failure = await site.fail("restore", point, "--as", fault);
      expect(failure).toMatchObject({ exitCode: 3, hint: expect.any(String) });
      await site.lab.fault(fault, "off");
      expect(await site.remains(restored)).toEqual([]);
      await site.succeed("restore", point, "--as", fault);
      restored.push(fault);
      expect(await witness.vmDiffering(point, fault)).toEqual([]);
      expect(await site.remains(restored)).toEqual([]);
    },
  );
});

test("and every point gives back what it was made of", async () => {
  expect(witness.points.length).toBeGreaterThan(20);
  expect(await witness.allDiffering()).toEqual([]);
});
