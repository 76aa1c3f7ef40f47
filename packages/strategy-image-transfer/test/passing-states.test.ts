import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import type { OvaultError } from "@ovault/contract";
import { takeBackup } from "@ovault/testkit";

import { Bench, never } from "./support/bench.ts";
import { leftBeside } from "./support/findings.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());
beforeEach(() => bench.lab.alterAnswers(undefined));

/** The engine calls the machine so. */
function sayStatus(status: string): void {
  bench.lab.alterAnswers((xml, { path }) =>
    path.startsWith("/vms")
      ? xml.replaceAll(/(<vm [^>]*>.*?)<status>up<\/status>/gs, `$1<status>${status}</status>`)
      : xml,
  );
}

/** As engines do it while a disk of the machine is locked, also one that is left out of the backup. */
function lockDisk(alias: string): void {
  bench.lab.alterAnswers((xml, { path }) => {
    if (path.startsWith("/vms")) return xml.replaceAll(/<initialization>.*?<\/initialization>/gs, "");
    if (!path.startsWith("/disks") || !xml.includes(`<alias>${alias}</alias>`)) return xml;
    return xml.replaceAll("<status>ok</status>", "<status>locked</status>");
  });
}

/** What the run shows as waited for. The state passes as soon as the run shows that it waits. */
async function whatIsWaitedFor(): Promise<readonly string[]> {
  const { hooks, waits } = bench.passWhenWaitedFor();
  const taken = await takeBackup(bench.parts(), { signal: never, hooks, keepBase: false });
  expect(taken.point.disks).toHaveLength(2);
  return waits;
}

async function failure(): Promise<OvaultError> {
  const run = takeBackup(bench.parts(bench.strategyWith({}, bench.hasty)), { signal: never });
  return await run.then(
    () => expect.fail("a point was taken"),
    (error: OvaultError) => error,
  );
}

const PASSING = [
  "migrating",
  "wait_for_launch",
  "powering_up",
  "powering_down",
  "reboot_in_progress",
  "saving_state",
  "restoring_state",
  "image_locked",
  "unknown",
  "not_responding",
  "a_state_of_a_later_engine",
];

test.each(PASSING)("a machine that is %s is waited for, and the run shows it", async (status) => {
  sayStatus(status);
  expect(await whatIsWaitedFor()).toEqual([`for web to be up, down or paused: it is ${status}`]);
});

test("no other state is an obstacle beforehand", async () => {
  const vm = await bench.vm();
  for (const status of [...PASSING, "up", "down", "paused"]) {
    expect((await bench.strategy.assess({ ...vm, status }, never)).obstacle).toBeUndefined();
  }
});

test.each(["migrating", "a_state_of_a_later_engine"])(
  "a machine that stays %s ends the run by that name, with nothing left",
  async (status) => {
    sayStatus(status);
    const error = await failure();
    expect(error).toMatchObject({
      code: "E_MACHINE_STATE",
      message: `web did not become ready within 0.1 s, it is ${status}; it must be up, down or paused`,
    });
    bench.lab.alterAnswers(undefined);
    expect(await leftBeside(bench)).toEqual([]);
  },
);

test("a suspended machine is not waited for, and the assessment names the error beforehand", async () => {
  sayStatus("suspended");
  const { obstacle } = await bench.strategy.assess(await bench.vm(), never);
  expect(obstacle).toMatchObject({
    code: "E_MACHINE_STATE",
    message: "web is suspended; it must be up, down or paused",
  });
  const started = performance.now();
  const run = takeBackup(bench.parts(), { signal: never });
  await expect(run).rejects.toMatchObject({ code: "E_MACHINE_STATE", message: expect.stringMatching(/is suspended/) });
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("a configuration that the engine leaves out while a disk is locked is waited for", async () => {
  lockDisk("web_Disk2");
  const [first] = await whatIsWaitedFor();
  expect(first).toBe("for web to be up, down or paused: its disk web_Disk2 is locked");
});

test("a configuration that stays left out names the locked disk, and the rights where none is locked", async () => {
  lockDisk("web_Disk2");
  expect(await failure()).toMatchObject({
    code: "E_MACHINE_STATE",
    message: expect.stringContaining("its disk web_Disk2 is locked"),
  });
  lockDisk("no disk of this machine");
  expect(await failure()).toMatchObject({ code: "E_MANAGER", hint: expect.stringContaining("role with rights") });
});
