import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench } from "./support/bench.ts";
import { leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

test("what a dead backup left is found and removed: processes, then the snapshot; the last point stays a base", async () => {
  const base = await bench.backup();
  await bench.backupAndDie({ base });
  expect((await bench.lab.leftovers()).hostProcesses).toContainEqual(expect.stringContaining("qemu-nbd --persistent"));
  const actions = await bench.removeLeftovers();
  expect(actions).toEqual([
    expect.stringMatching(/^end the process on host lab-host: serves disk web_Disk\d \(\d+, \d+, \/\S+\/ovault-/),
    expect.stringMatching(/^end the process on host lab-host: serves disk web_Disk\d \(\d+, \d+, \/\S+\/ovault-/),
    expect.stringMatching(/^remove the snapshot of web/),
  ]);
  await expect.poll(() => leftBeside(bench, base), { timeout: 20_000 }).toEqual([]);
  expect(await bench.removeLeftovers()).toEqual([]);
  const next = await bench.backup({ base });
  expect(modesOf(next)).toEqual(["incremental", "incremental"]);
});

test("a process that ignores requests to end is killed", async () => {
  await bench.backupAndDie({ keepBase: false });
  await bench.signalServers("SIGSTOP");
  await bench.removeLeftovers();
  const { hostProcesses } = await bench.lab.leftovers();
  expect(hostProcesses.filter((line) => line.startsWith("qemu-nbd"))).toEqual([]);
});
