import { randomUUID } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";

import { createRunHooks, type RunContext } from "@ovault/contract";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { ClonedMachine } from "../src/cloning/cloned-machine.ts";
import { Bench, fillTarget, never, restoreRequest, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let bench: Bench;
let taken: Taken;
beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "3.6" });
  taken = await bench.backup();
});
afterAll(() => bench.close());

/** Does something in a run that does not clean up. */
async function dyingRun(work: (context: RunContext) => Promise<void>): Promise<void> {
  const runId = randomUUID();
  const ledger = await bench.ledger.forRun({ runId, manager: bench.manager.name, strategy: bench.strategy.name });
  await work({ runId, ledger, hooks: createRunHooks(), signal: never });
  await ledger.end();
}

test("what a dead backup left goes in this order: the export, the snapshot, the turn", async () => {
  await bench.backupAndDie();
  expect(await readdir(bench.path("master/vms"))).toHaveLength(1);
  expect(await bench.removeLeftovers()).toEqual([
    `remove the exported clone of web from ${bench.folder}`,
    expect.stringMatching(/^remove the snapshot of web/),
    `free the turn of the export of web in ${bench.folder}`,
  ]);
  expect(await bench.settled()).toEqual([]);
});

test("a clone that the engine is still making is waited for, and removed with its disks before its snapshot", async () => {
  const vm = await bench.vm();
  const { vms, snapshots } = bench.manager.api;
  const { id: snapshotId } = await snapshots.create(vm.id, { description: "by a user" }, never);
  await expect.poll(async () => (await snapshots.get(vm.id, snapshotId, {}, never)).status).toBe("ok");
  await bench.lab.fault("clone-hang", "once");
  await dyingRun(async ({ ledger }) => {
    const clusterId = vm.cluster?.id ?? "";
    const wish = { api: bench.manager.api, ledger, vm, clusterId, snapshotId, disks: vm.disks };
    await ClonedMachine.request({ ...wish, storageDomainId: undefined }, never);
  });
  expect((await vms.list({}, never)).map(({ status }) => status)).toContain("image_locked");
  expect(await bench.removeLeftovers()).toEqual([
    expect.stringMatching(/^delete the clone of web \(ovault-[0-9a-f-]+, image_locked\) with its disks$/),
  ]);
  expect(await bench.vmNames()).toEqual(["web"]);
  await snapshots.delete(vm.id, snapshotId, never);
  expect(await bench.settled()).toEqual([]);
});

test("what a dead restore left is removed from the folder, and what others have there stays", async () => {
  const foreign = randomUUID();
  await writeFile(bench.path("images", foreign), "not ours");
  await dyingRun(async (context) => {
    const session = await bench.strategy.openRestore(restoreRequest(taken, "dead"), context);
    const [first] = session.disks;
    if (first !== undefined) await fillTarget(first, taken.images.get(first.diskId), never);
  });
  expect(await readdir(bench.path("images"))).toHaveLength(3);
  expect(await bench.removeLeftovers()).toEqual([
    `remove the restored virtual machine dead from ${bench.folder}`,
    `free the turn of restored virtual machine dead in ${bench.folder}`,
  ]);
  expect(await readdir(bench.path("images"))).toEqual([foreign]);
});
