import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { withRun } from "@ovault/testkit";

import { Bench, never, type Taken } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

import type { OvaultError } from "@ovault/contract";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});
beforeEach(async () => {
  for (const { name } of await bench.lab.faults()) await bench.lab.fault(name, "off");
  await bench.write(0, { kind: "random", seed: `${Math.random()}`, offset: 2_000_000, length: 100_000 });
});

/** Everything about the next increment that is not as it should be. */
async function troubles(): Promise<string[]> {
  const taken = await bench.backup({ base });
  base = taken;
  const modes = modesOf(taken).filter((mode) => mode !== "incremental");
  return [...modes, ...taken.warnings, ...(await differences(bench, taken)), ...(await leftBeside(bench, taken))];
}

async function runOutOfSpace(): Promise<void> {
  throw new Error("the destination is full");
}

test.each([
  { once: ["transfer-cut", "token-expiry"], lasting: ["proxy-only"] },
  { once: ["snapshot-hang", "snapshot-removal-hang", "finalize-hang"], lasting: ["idle-close", "conflict-storm"] },
])("the faults $once and $lasting together pass unnoticed", async ({ once, lasting }) => {
  for (const fault of once) await bench.lab.fault(fault, "once");
  for (const fault of lasting) await bench.lab.fault(fault, "on");
  expect(await troubles()).toEqual([]);
});

test("a ticket that ran out is renewed", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.fault("ticket-expiry", "once") });
  expect(modesOf(taken)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, taken)).toEqual([]);
  expect(await leftBeside(bench, taken)).toEqual([]);
  base = taken;
});

test("a snapshot that cannot be made is an error that says so, and leaves nothing", async () => {
  await bench.lab.fault("snapshot-failure", "once");
  await expect(bench.backup({ base })).rejects.toMatchObject({ code: "E_SNAPSHOT_FAILED" });
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a snapshot that hangs is given up, and found by the next run once it is there", async () => {
  await bench.lab.fault("snapshot-hang", "on");
  const strategy = bench.strategyWith({ snapshotTimeoutSeconds: 0.2 });
  await expect(bench.backup({ base, strategy })).rejects.toMatchObject({ code: "E_DEADLINE" });
  expect(await bench.ledger.abandoned()).toMatchObject([{ kind: "snapshot" }]);
  await bench.lab.fault("snapshot-hang", "off");
  await bench.removeLeftovers();
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a storage domain without room is found before anything is made", async () => {
  await bench.lab.fault("low-space", "on");
  await expect(bench.backup({ base })).rejects.toMatchObject({
    code: "E_NO_ROOM",
    message: expect.stringMatching(/GiB free/),
  });
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a merge that fails is reported with the volume and the next step, and retried on request", async () => {
  await bench.lab.fault("snapshot-removal-failure", "once");
  const taken = await bench.backup({ base });
  expect(taken.warnings).toEqual([
    expect.stringMatching(
      /old snapshot of web is still there: .* merge of its data failed; it holds web_Disk1 \(volume /,
    ),
  ]);
  const { snapshots } = await bench.lab.leftovers();
  expect(snapshots).toHaveLength(2);
  expect(await bench.ledger.abandoned()).toMatchObject([{ kind: "snapshot", title: "old snapshot of web" }]);
  const [action] = await bench.removeLeftovers();
  expect(action).toMatch(/^remove the old snapshot of web/);
  expect(await leftBeside(bench, taken)).toEqual([]);
  base = taken;
  expect(await troubles()).toEqual([]);
});

test("nothing is merged, and nothing backed up, while a disk is illegal", async () => {
  await bench.lab.fault("illegal-disk", "on");
  const taken = await bench.backup({ base });
  expect(taken.warnings).toEqual([expect.stringMatching(/old snapshot of web is still there/)]);
  const assessed = await bench.strategy.assess(await bench.vm(), never);
  expect(assessed.disks.map(({ verdict }) => verdict)).toEqual(["impossible", "impossible"]);
  const removals = async (): Promise<number> => {
    const events = await bench.manager.api.events.list({ max: 100 }, never);
    return events.filter(({ code }) => code === 357).length;
  };
  const before = await removals();
  await bench.removeLeftovers();
  expect(await removals()).toBe(before);
  expect(await bench.ledger.abandoned()).toMatchObject([{ kind: "snapshot", title: "old snapshot of web" }]);
  await bench.lab.fault("illegal-disk", "off");
  await bench.removeLeftovers();
  base = taken;
});

test("a merge that hangs is noted and left alone; the machine is not touched before it is over", async () => {
  await bench.lab.fault("snapshot-removal-hang", "on");
  const strategy = bench.strategyWith({ removalTimeoutSeconds: 0.2 });
  const taken = await bench.backup({ base, strategy });
  expect(taken.warnings).toEqual([expect.stringMatching(/old snapshot of web is still there/)]);
  expect(await differences(bench, taken)).toEqual([]);
  base = taken;
  const hasty = bench.strategyWith({}, bench.hasty);
  await expect(bench.backup({ base, strategy: hasty })).rejects.toMatchObject({ code: "E_ENGINE_CONFLICT" });
  await bench.lab.fault("snapshot-removal-hang", "off");
  const merged = async (): Promise<number> => (await bench.lab.leftovers()).snapshots.length;
  await expect.poll(merged, { timeout: 20_000 }).toBe(1);
  await bench.removeLeftovers();
});

test("a failed run whose snapshot cannot be merged says so, and leaves it in the ledger", async () => {
  await bench.lab.fault("snapshot-removal-failure", "once");
  await expect(bench.backup({ base, whenOpen: runOutOfSpace })).rejects.toThrow("the destination is full");
  expect(await bench.ledger.abandoned()).toMatchObject([{ kind: "snapshot", title: "snapshot of web" }]);
  await bench.removeLeftovers();
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a run that is to keep no snapshot, and cannot merge it, is sealed without a base and says so", async () => {
  for (const [fault, mode] of [
    ["snapshot-removal-failure", "once"],
    ["snapshot-removal-hang", "on"],
  ] as const) {
    await bench.lab.fault(fault, mode);
    const strategy = bench.strategyWith({ removalTimeoutSeconds: 0.2 });
    const taken = await bench.backup({ base, strategy, keepBase: false });
    // The older one is left alone after that: the engine has enough to do with this machine.
    expect(taken.warnings).toEqual([
      expect.stringMatching(/^the snapshot of this run is still there: .*doctor/),
      expect.stringMatching(/^an old snapshot of web is still there: /),
    ]);
    expect(taken.point.disks.flatMap((record) => record.base ?? [])).toEqual([]);
    expect(await differences(bench, taken)).toEqual([]);
    expect(await bench.ledger.abandoned()).toHaveLength(2);
    await bench.lab.fault(fault, "off");
    const unlocked = async (): Promise<readonly string[]> => (await bench.lab.leftovers()).lockedDisks;
    await expect.poll(unlocked, { timeout: 20_000 }).toEqual([]);
    while ((await bench.removeLeftovers()).length > 0);
    expect(await leftBeside(bench)).toEqual([]);
    base = await bench.backup();
  }
});

test("a ticket that is refused for good ends the run, and leaves nothing", async () => {
  const expire = (): Promise<void> => bench.lab.fault("ticket-expiry", "on");
  await expect(bench.backup({ base, whenOpen: expire })).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) });
  await bench.lab.fault("ticket-expiry", "off");
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a machine that a user removes before its snapshot, or when all is read, leaves nothing", async () => {
  const own = await Bench.open();
  const remove = async (): Promise<void> => {
    const { id } = await own.vm();
    await own.lab.powerOff("web", { graceful: false });
    await own.manager.api.vms.delete(id, { keepDisks: false }, never);
    const gone = async (): Promise<number> => (await own.manager.inventory(never)).length;
    await expect.poll(gone, { timeout: 20_000 }).toBe(0);
    const disks = async (): Promise<readonly string[]> => (await own.lab.leftovers()).unattachedDisks;
    await expect.poll(disks, { timeout: 20_000 }).toEqual([]);
  };
  try {
    const known = await own.vm();
    const { instant, bases } = await withRun(own.parts(), { signal: never }, async ({ instant: held }) => {
      await Promise.all((await held.open(never)).map((source) => source.readInto(0, Buffer.alloc(512), never)));
      // Its transfers are over, its snapshot is kept: from now on the engine lets the machine go.
      await held.close("complete");
      await remove();
      return { instant: held, bases: (await held.close("failed")).bases };
    });
    await instant.retire(never);
    expect(bases.size).toBe(0);
    expect(await leftBeside(own)).toEqual([]);
    const late = withRun({ ...own.parts(), vm: async () => known }, { signal: never }, async () => {});
    await expect(late).rejects.toMatchObject({ code: "E_ENTITY_NOT_FOUND" });
    expect(await leftBeside(own)).toEqual([]);
  } finally {
    await own.close();
  }
});

test("a transfer that a user cancels is an error that names the phase, and leaves nothing", async () => {
  const cancel = async (): Promise<void> => {
    for (const { id } of await bench.manager.api.transfers.list(never)) {
      const phase = async (): Promise<string | undefined> => (await bench.manager.api.transfers.find(id, never))?.phase;
      if ((await phase()) !== "transferring") continue;
      await bench.manager.api.transfers.cancel(id, never);
      await expect.poll(phase, { timeout: 20_000 }).toBe("finished_failure");
    }
  };
  await expect(bench.backup({ base, whenOpen: cancel })).rejects.toMatchObject({
    code: "E_TRANSFER_ENDED",
    message: expect.stringMatching(/finished_failure/),
  });
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a disk that another client transfers is waited for, and then refused; nothing is left", async () => {
  const [disk = ""] = base.point.disks.map((record) => record.disk.id);
  const marker = base.point.disks[0]?.base;
  const subject = { diskSnapshotId: await volumeOf(String(marker?.["snapshotId"]), disk) };
  const other = await bench.manager.api.transfers.create({ subject, direction: "download", format: "raw" }, never);
  const hasty = bench.strategyWith({}, bench.hasty);
  await expect(bench.backup({ base, strategy: hasty })).rejects.toMatchObject({ code: "E_ENGINE_CONFLICT" });
  await bench.manager.api.transfers.cancel(other.id, never);
  const open = async (): Promise<readonly string[]> => (await bench.lab.leftovers()).transfers;
  await expect.poll(open, { timeout: 20_000 }).toEqual([]);
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a machine that is powered off while it is read does not disturb the point", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.powerOff("web", { graceful: false }) });
  expect(await differences(bench, taken)).toEqual([]);
  base = taken;
  expect(await troubles()).toEqual([]);
  await bench.lab.powerOn("web");
  expect(await troubles()).toEqual([]);
});

test("a machine that moves to another host while it is read does not disturb the point", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.migrate("web") });
  expect(await differences(bench, taken)).toEqual([]);
  base = taken;
  expect(await troubles()).toEqual([]);
});

test("neither the snapshot nor the machine can be removed while it is read", async () => {
  const { id: vmId } = base.point.vm;
  const removeAll = async (): Promise<void> => {
    for (const id of (await bench.lab.leftovers()).snapshots) {
      const refused = bench.hasty.api.snapshots.delete(vmId, id, never);
      await expect(refused).rejects.toMatchObject({ code: "E_ENGINE_CONFLICT" });
    }
    const refused = bench.hasty.api.vms.delete(vmId, { keepDisks: false }, never);
    await expect(refused).rejects.toMatchObject({ code: "E_ENGINE_CONFLICT" });
  };
  const taken = await bench.backup({ base, whenOpen: removeAll });
  expect(await differences(bench, taken)).toEqual([]);
  base = taken;
});

test("a snapshot that a user removes when all is read leaves a point without a base", async () => {
  const { id: vmId } = base.point.vm;
  const signal = never;
  const bases = await withRun(bench.parts(), { base, signal }, async ({ instant }) => {
    await Promise.all((await instant.open(signal)).map((source) => source.readInto(0, Buffer.alloc(512), signal)));
    await instant.close("complete");
    const newest = (await bench.lab.leftovers()).snapshots.at(-1) ?? "";
    await bench.manager.api.snapshots.delete(vmId, newest, signal);
    const left = async (): Promise<number> => (await bench.lab.leftovers()).snapshots.length;
    await expect.poll(left, { timeout: 20_000 }).toBe(1);
    // Closing again asks for the snapshot once more, and finds none.
    return (await instant.close("failed")).bases;
  });
  expect(bases.size).toBe(0);
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("a host whose imageio restarts while disks are read is waited for, with transfers that it knows again", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.fault("imageio-restart", "once") });
  expect(modesOf(taken)).toEqual(["incremental", "incremental"]);
  expect(await differences(bench, taken)).toEqual([]);
  expect(await leftBeside(bench, taken)).toEqual([]);
  base = taken;
});

test("an upload whose imageio restarts goes on, or leaves nothing", async () => {
  const restart = async (): Promise<string> => {
    await bench.restore(base, "copy-restarted", {
      instead: async (session) => {
        await bench.lab.fault("imageio-restart", "once");
        for (const target of session.disks) {
          await target.write(0, Buffer.alloc(65_536, 0x5a), never);
          await target.flush(never);
        }
        await session.abort();
      },
    });
    return "went on";
  };
  expect(await restart().catch((error: OvaultError) => error.code)).toMatch(/^(went on|E_[A-Z_]+)$/);
  expect(await leftBeside(bench, base)).toEqual([]);
});

test("an engine that restarts while disks are read is waited for", async () => {
  const restart = async (): Promise<void> => {
    await bench.lab.fault("engine-restart", "on");
    setTimeout(() => void bench.lab.fault("engine-restart", "off"), 500);
  };
  const taken = await bench.backup({ base, whenOpen: restart });
  expect(await differences(bench, taken)).toEqual([]);
  expect(await leftBeside(bench, taken)).toEqual([]);
  base = taken;
});

test("an upload that the system pauses, or that fails, leaves no half disk", async () => {
  for (const fault of ["transfer-paused-system", "upload-failure"]) {
    await bench.lab.fault(fault, "once");
    await expect(bench.restore(base, `copy-${fault}`)).rejects.toThrow(/transfer|upload/);
    expect(await leftBeside(bench, base)).toEqual([]);
  }
});

async function volumeOf(snapshotId: string, diskId: string): Promise<string> {
  const disks = await bench.manager.api.vms.snapshotDisks(base.point.vm.id, snapshotId, never);
  return disks.find(({ id }) => id === diskId)?.imageId ?? "";
}
