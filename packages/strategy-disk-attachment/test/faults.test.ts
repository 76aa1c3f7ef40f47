import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { withRun } from "@ovault/testkit";

import { Bench, differences, never, type Taken } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

import type { FaultName } from "@ovault/lab";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;
const FAULTS = [
  "device-missing",
  "device-size",
  "attach-failure",
  "unplug-hang",
  "detach-failure",
  "snapshot-failure",
  "snapshot-removal-failure",
  "low-space",
  "freeze-failure",
] as const satisfies readonly FaultName[];

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  let bench: Bench;
  let taken: Taken;
  beforeAll(async () => {
    bench = await Bench.open();
    taken = await bench.backup();
  });
  afterAll(() => bench.close());
  afterEach(async () => {
    for (const fault of FAULTS) await bench.lab.fault(fault, "off");
  });

  /** Does not wait for locks; waits this long for devices. */
  const hasty = (deviceTimeoutSeconds = 60) => bench.strategyWith({ deviceTimeoutSeconds }, bench.hasty);
  /** What is left after the next run's cleanup, which a run that does not wait may depend on. */
  const cleared = async (...machines: readonly string[]): Promise<readonly string[]> => {
    await bench.removeLeftovers();
    const left = await bench.left(...machines);
    return left.length === 0 ? left : (await bench.removeLeftovers(), await bench.settled(...machines));
  };

  test("a suspended machine is an obstacle that the assessment names beforehand", async () => {
    const assessed = await bench.strategy.assess({ ...(await bench.vm()), status: "suspended" }, never);
    const message = "web is suspended; it must be up, down or paused";
    expect(assessed.obstacle).toMatchObject({ code: "E_MACHINE_STATE", message });
  });

  test("a machine in a passing state is waited for", async () => {
    const { id } = taken.point.vm;
    bench.lab.alterAnswers((xml, { path }) =>
      path === `/vms/${id}` ? xml.replace("<status>up</status>", "<status>migrating</status>") : xml,
    );
    await expect(bench.backup({ strategy: hasty() })).rejects.toMatchObject({
      code: "E_MACHINE_STATE",
      message: expect.stringContaining("it is migrating"),
    });
    const { hooks, waits } = bench.passWhenWaitedFor();
    expect((await bench.backup({ hooks })).point.disks).toHaveLength(2);
    expect(waits).toContain("for web to be up, down or paused: it is migrating");
    expect(await cleared()).toEqual([]);
  });

  test.each([
    ["device-missing", "E_DEVICE", "did not appear in"],
    ["device-size", "E_DEVICE", "bytes where the disk has"],
    ["attach-failure", "E_ENGINE_CONFLICT", "Failed to hot plug"],
    ["snapshot-failure", "E_SNAPSHOT_FAILED", "could not make the snapshot"],
    ["low-space", "E_NO_ROOM", "wants"],
  ] as const)("a backup ends in a clear error, and leaves nothing: %s", async (fault, code, message) => {
    await bench.lab.fault(fault, "on");
    const strategy = hasty(fault === "device-missing" ? 1 : 60);
    await expect(bench.backup({ strategy })).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    await bench.lab.fault(fault, "off");
    expect(await cleared()).toEqual([]);
  });

  test.each([
    ["device-missing", "E_DEVICE"],
    ["device-size", "E_DEVICE"],
    ["attach-failure", "E_ENGINE_CONFLICT"],
  ] as const)("a restore ends in a clear error, and leaves nothing: %s", async (fault, code) => {
    await bench.lab.fault(fault, "on");
    const strategy = hasty(fault === "device-missing" ? 1 : 60);
    await expect(bench.restore(taken, "again", { strategy })).rejects.toMatchObject({ code });
    await bench.lab.fault(fault, "off");
    expect(await cleared()).toEqual([]);
  });

  test.each(["unplug-hang", "detach-failure"] as const)(
    "a disk that cannot be detached is reported, and detached when it can be: %s",
    async (fault) => {
      await bench.lab.fault(fault, "on");
      // Long enough for a device to appear on a busy machine.
      const wishes = { strategy: hasty(8), exclude: [taken.point.disks[1]?.disk.id ?? ""] };
      await expect(bench.backup(wishes)).rejects.toMatchObject({
        code: fault === "unplug-hang" ? "E_DEADLINE" : "E_ENGINE_CONFLICT",
      });
      expect(await bench.ledger.abandoned()).toHaveLength(2);
      await bench.lab.fault(fault, "off");
      expect(await cleared()).toEqual([]);
    },
  );

  test("a disk that is slow to go only costs time", async () => {
    await bench.lab.fault("unplug-hang", "once");
    await bench.backup();
    await bench.lab.fault("unplug-hang", "once");
    await bench.restore(taken, "patient");
    expect(await bench.settled("patient")).toEqual([]);
  });

  test("a restore whose disks do not go again makes no machine, and the doctor removes what is left", async () => {
    await bench.lab.fault("detach-failure", "on");
    await expect(bench.restore(taken, "stuck", { strategy: hasty() })).rejects.toMatchObject({
      code: "E_ENGINE_CONFLICT",
    });
    await bench.lab.fault("detach-failure", "off");
    expect(await cleared("patient")).toEqual([]);
  });

  test("a snapshot that cannot be merged is a warning of a point that is good", async () => {
    await bench.lab.fault("snapshot-removal-failure", "once");
    const point = await bench.backup();
    expect(differences(point, await bench.viewAll())).toEqual([]);
    expect(point.warnings).toEqual([expect.stringContaining("the snapshot of this run is still there")]);
    expect(await cleared("patient")).toEqual([]);
  });

  test("a machine that is powered off while it is read does not disturb the point", async () => {
    const views = await bench.viewAll();
    const point = await bench.backup({ whenOpen: () => bench.lab.powerOff("web", { graceful: false }) });
    await bench.lab.powerOn("web");
    expect(differences(point, views)).toEqual([]);
    expect(await bench.settled("patient")).toEqual([]);
  });

  test("a machine that moves to another host while it is read does not disturb the point", async () => {
    const views = await bench.viewAll();
    const point = await bench.backup({ whenOpen: () => bench.lab.migrate("web") });
    expect(differences(point, views)).toEqual([]);
    expect(await bench.settled("patient")).toEqual([]);
  });

  test("neither the snapshot nor the machine can be removed while a disk of it is attached", async () => {
    const { id } = await bench.vm();
    const { snapshots, vms } = bench.hasty.api;
    let refused = 0;
    const count = (): void => void (refused += 1);
    await withRun(bench.parts(), { signal: never }, async ({ instant }) => {
      const [source] = await instant.open(never);
      await source?.readInto(0, Buffer.alloc(512), never);
      const [snapshot] = (await snapshots.list(id, never)).filter(({ type }) => type === "regular");
      await snapshots.delete(id, snapshot?.id ?? "", never).catch(count);
      await vms.delete(id, { keepDisks: false }, never).catch(count);
      await instant.close("complete");
    });
    expect(refused).toBe(2);
    expect(await bench.settled("patient")).toEqual([]);
  });

  test("a snapshot that a user removes before its disks are attached ends the backup", async () => {
    const { id } = await bench.vm();
    const { snapshots } = bench.manager.api;
    const removed = async (): Promise<void> => {
      const [snapshot] = (await snapshots.list(id, never)).filter(({ type }) => type === "regular");
      await snapshots.delete(id, snapshot?.id ?? "", never);
      await expect.poll(() => snapshots.find(id, snapshot?.id ?? "", never)).toBeUndefined();
    };
    await expect(bench.backup({ strategy: hasty(), whenOpen: removed })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_ENGINE/),
    });
    expect(await cleared("patient")).toEqual([]);
  });

  test("a device that fails while it is read is an error that says what to look at", async () => {
    await withRun(bench.parts(), { signal: never }, async ({ instant }) => {
      const [source] = await instant.open(never);
      await source?.readInto(0, Buffer.alloc(512), never);
      // As when its process on the host dies.
      const [device = ""] = await bench.attachedDevices();
      await bench.pull(device);
      await expect(source?.readInto(MIB, Buffer.alloc(MIB), never)).rejects.toMatchObject({
        code: "E_DEVICE",
        message: expect.stringMatching(new RegExp(`${device} (cannot be read at|ends at) ${MIB}`)),
      });
      await instant.close("failed");
    });
    expect(await bench.settled("patient")).toEqual([]);
  });
});
