import { beforeEach, expect, test } from "vitest";

import { type Clock, type RunHooks, systemClock } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import { type ModelRuns } from "../support/model-runs.ts";
import { repositoryRuns } from "./support/repository-runs.ts";

let runs: ModelRuns<Repository>;

beforeEach(async () => {
  runs = await repositoryRuns(new MemoryStore());
});

test("the guest thaws as soon as the instant is held: before any disk is opened, and before what the instant is worth is asked", async () => {
  const steps: string[] = [];
  runs.platform.step = (name) => steps.push(name);
  const tap = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void steps.push("freeze"));
    hooks.afterSnapshot.tap("test", () => void steps.push("thaw"));
    hooks.consistency.tap("test", (consistency) => {
      steps.push("consistency");
      return consistency;
    });
  };
  await runs.backUp({ taps: [tap] });
  const order = steps.filter((name, index) => name !== steps[index - 1]);
  const expected = ["freeze", "instant", "thaw", "consistency", "open", "read", "close complete", "retire"];
  expect(order).toEqual(expected);
});

test("a failure to open the disks closes the instant, after the thaw, and leaves nothing", async () => {
  const steps: string[] = [];
  runs.platform.step = (name) => {
    steps.push(name);
    if (name === "open") throw new Error("no transfer");
  };
  const taps = [(hooks: RunHooks) => hooks.afterSnapshot.tap("test", () => void steps.push("thaw"))];
  await expect(runs.backUp({ taps })).rejects.toThrow("no transfer");
  expect(steps).toEqual(["instant", "thaw", "open", "close failed"]);
  expect(await runs.sealed()).toEqual([]);
  expect([runs.platform.made.size, runs.platform.checkpoints.size]).toEqual([0, 0]);
  expect((await runs.ledger.report()).active).toEqual([]);
});

test("a point is dated by the clock of the moment in which the manager held its instant", async () => {
  let now = Date.parse("2026-11-30T00:00:00Z");
  const clock: Clock = { ...systemClock, now: () => new Date(now) };
  runs.platform.step = (name) => {
    if (name === "instant") now += 600_000;
  };
  const taps = [(hooks: RunHooks) => hooks.afterSnapshot.tap("test", () => void (now += 3_000_000))];
  const { takenAt, sealedAt } = await runs.backUp({ clock, taps });
  expect([takenAt, sealedAt]).toEqual(["2026-11-30T00:10:00.000Z", "2026-11-30T01:00:00.000Z"]);
});
