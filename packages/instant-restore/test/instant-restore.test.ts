import { createRunHooks } from "@ovault/contract";
import { missingForNfsDisks } from "@ovault/test-support/nfs-needs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { migrateInstant, MoveFailedError, removeDomain, ShareDomainError, stopInstant } from "../src/index.ts";
import { Bench, never } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = await missingForNfsDisks();
const MIB = 1024 * 1024;
const atOnce = { patienceMs: 0 };
const fails = async (): Promise<never> => {
  throw new Error("the disk is full");
};

describe.skipIf(missing.length > 0)("a machine that runs from a point", () => {
  let bench: Bench;
  beforeAll(async () => void (bench = await Bench.open()));
  afterAll(() => bench.close());

  test("starts from the share with the disks of the point, moves live, and leaves nothing but itself", async () => {
    const { lab, manager } = bench.bench;
    const machine = await bench.inRun((context) => bench.restore("ir", { context }));
    expect(bench.kept).toEqual(machine);
    await expect.poll(() => lab.vms.find(({ id }) => id === machine.vmId)?.status).toBe("up");
    expect(machine.domain).toMatchObject({ name: "ovault-ir", version: 5 });
    expect(await bench.left("ir")).toEqual(["domain: ovault-ir"]);
    for (const { from, id } of machine.disks) {
      const view = await bench.bench.view(id);
      const image = bench.taken.images.get(from) ?? Buffer.of();
      expect(view.subarray(0, image.length).equals(image)).toBe(true);
      expect(view.subarray(image.length).every((byte) => byte === 0)).toBe(true);
    }
    await lab.write("ir", "0", { kind: "pattern", pattern: 7, offset: 5 * MIB, length: MIB });
    const written = await bench.bench.viewAll("ir");
    const home = await bench.home();
    expect(await bench.inRun((context) => migrateInstant(manager, machine, { to: "lab-storage" }, context))).toBe(true);
    for (const { id } of machine.disks) {
      expect((await manager.api.disks.get(id, never)).storageDomainIds).toEqual([home]);
    }
    expect(await bench.bench.viewAll("ir")).toEqual(written);
    expect(lab.vms.find(({ name }) => name === "ir")?.status).toBe("up");
    expect(await bench.left("ir")).toEqual([]);
    await bench.inRun((context) => stopInstant(manager, machine, atOnce, context));
    expect(await bench.left()).toEqual([]);
    await bench.emptyShare();
  });

  test("goes with all that it needed when it is stopped, its guest asked first, and once more does nothing", async () => {
    const { manager } = bench.bench;
    const machine = await bench.inRun((context) => bench.restore("ir", { context }));
    const isGone = (): Promise<boolean> =>
      bench.inRun((context) => stopInstant(manager, machine, { patienceMs: 60_000 }, context));
    expect(await isGone()).toBe(true);
    expect(await bench.left()).toEqual([]);
    expect(await isGone()).toBe(true);
    expect(await bench.left()).toEqual([]);
    await bench.emptyShare();
  });

  test("shares its domain with another one, whose end leaves it alone", async () => {
    const { manager, hasty, lab } = bench.bench;
    const wish = { name: "ovault-both" };
    const one = await bench.inRun((context) => bench.restore("ir1", { context, wish }));
    const other = await bench.inRun((context) => bench.restore("ir2", { context, wish }));
    expect(other.domain).toEqual(one.domain);
    expect(await bench.inRun((context) => migrateInstant(manager, one, { to: "lab-storage" }, context))).toBe(false);
    expect(await bench.inRun((context) => stopInstant(manager, one, atOnce, context))).toBe(false);
    await expect.poll(() => lab.vms.find(({ name }) => name === "ir2")?.status).toBe("up");
    expect(await bench.left("ir2")).toEqual(["domain: ovault-both"]);
    await expect(removeDomain(hasty.api, other.domain)).rejects.toThrow("disks lie on storage domain ovault-both");
    const running = removeDomain(hasty.api, { ...other.domain, expendable: other.disks.map(({ id }) => id) });
    await expect(running).rejects.toMatchObject({
      code: "E_SHARE_DOMAIN",
      message: expect.stringContaining("running VMs using this storage domain"),
      hint: expect.stringContaining("Stop the machines"),
    });
    await lab.write("ir2", "0", { kind: "pattern", pattern: 3, offset: 0, length: MIB });
    expect(await bench.inRun((context) => stopInstant(manager, other, atOnce, context))).toBe(true);
    expect(await bench.left()).toEqual([]);
    await bench.emptyShare();
  });

  test("runs on when a move fails half way or the engine restarts, and moves at the next try", async () => {
    const { manager, lab } = bench.bench;
    const machine = await bench.inRun((context) => bench.restore("ir", { context }));
    const migrate = (concurrent: number): Promise<boolean> =>
      bench.inRun((context) => migrateInstant(manager, machine, { to: "lab-storage", concurrent }, context));
    for (const fault of ["move-failure", "move-no-space"]) {
      await lab.fault(fault, "once");
      await expect(migrate(1)).rejects.toThrow(MoveFailedError);
      expect(lab.vms.find(({ name }) => name === "ir")?.status).toBe("up");
      await lab.write("ir", "0", { kind: "pattern", pattern: 8, offset: MIB, length: MIB });
    }
    const written = await bench.bench.viewAll("ir");
    await lab.fault("move-snapshot-stays", "once");
    await lab.fault("engine-restart", "once");
    expect(await migrate(2)).toBe(true);
    expect(await bench.bench.viewAll("ir")).toEqual(written);
    expect(await bench.left("ir")).toEqual([]);
    await bench.inRun((context) => stopInstant(manager, machine, atOnce, context));
    await bench.emptyShare();
  });

  test("does not move where it cannot, and is told which domains take it", async () => {
    const { manager } = bench.bench;
    const machine = await bench.inRun((context) => bench.restore("ir", { context }));
    for (const to of ["nowhere", "ovault-ir"]) {
      const moved = bench.inRun((context) => migrateInstant(manager, machine, { to }, context));
      await expect(moved).rejects.toMatchObject({ code: "E_USAGE", hint: expect.anything() });
    }
    await bench.inRun((context) => stopInstant(manager, machine, atOnce, context));
    await bench.emptyShare();
  });

  test("leaves the engine also when its share is gone", async () => {
    const { hasty } = bench.bench;
    const machine = await bench.inRun((context) => bench.restore("ir", { context }));
    await bench.stopShare();
    await bench.inRun((context) => stopInstant(hasty, machine, atOnce, context));
    expect(await bench.left()).toEqual([]);
    await bench.startShare();
    await bench.emptyShare();
  });

  test("is refused before anything is made while its name, or that of its domain, is taken", async () => {
    const restored = bench.inRun((context) => bench.restore("web", { context }));
    await expect(restored).rejects.toThrow("there is a virtual machine named web already");
    const onTaken = bench.inRun((context) => bench.restore("ir", { context, wish: { name: "lab-storage" } }));
    await expect(onTaken).rejects.toThrow("there is a storage domain named lab-storage already");
    expect(await bench.left()).toEqual([]);
  });

  test("is refused with the engine's words and a command to try where hosts cannot mount the share", async () => {
    const wish = { share: { ...bench.share, path: "/elsewhere" } };
    const refused = bench.inRun((context) => bench.restore("ir", { context, wish }));
    await expect(refused).rejects.toThrow(ShareDomainError);
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining("Problem while trying to mount target"),
      hint: expect.stringContaining(`mount -t nfs -o vers=3,nolock,port=${bench.share.port},`),
    });
    expect(await bench.left()).toEqual([]);
  });

  test("is undone when its volumes cannot be shown, cannot be used, or its record cannot be kept", async () => {
    const putVolumes = bench.wish("ir").putVolumes;
    for (const [wish, why] of [
      [{ putVolumes: fails }, "the disk is full"],
      [{ putVolumes: async () => {} }, "the engine does not register disk"],
      [{ putVolumes, keep: fails }, "the disk is full"],
    ] as const) {
      await expect(bench.inRun((context) => bench.restore("ir", { context, wish }))).rejects.toThrow(why);
      expect(await bench.left()).toEqual([]);
      await bench.emptyShare();
    }
  });

  test("ends with its run when that is cancelled", async () => {
    const cancel = new AbortController();
    const hooks = createRunHooks();
    hooks.phase.tap("test", ({ phase }) => phase === "open" && cancel.abort());
    const cancelled = bench.inRun((context) => bench.restore("ir", { context: { ...context, hooks } }), cancel.signal);
    await expect(cancelled).rejects.toThrow("aborted");
    expect(await bench.left()).toEqual([]);
    await bench.emptyShare();
  });
});
