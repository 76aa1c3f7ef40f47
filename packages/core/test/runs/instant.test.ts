import { beforeEach, describe, expect, test } from "vitest";

import { type Clock, ManagerError, type RunHooks, type Strategy, systemClock } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { MemoryStore, ModelStrategy } from "@ovault/testkit";

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

describe("a strategy that lets only so many at work", () => {
  let steps: string[];

  function withTurns(): ModelStrategy {
    const strategy: Strategy & ModelStrategy = new ModelStrategy(runs.platform);
    return Object.assign(strategy, {
      awaitTurn: async () => {
        steps.push("turn");
        return { release: async () => void steps.push("release") };
      },
    });
  }

  const freezing = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void steps.push("freeze"));
  };

  beforeEach(() => {
    steps = [];
    runs.platform.step = (name) => steps.push(name);
  });

  test("gets its turn before the guest freezes, and gives it back when all is done", async () => {
    await runs.backUp({ strategy: withTurns(), taps: [freezing] });
    expect(steps.slice(0, 3)).toEqual(["turn", "freeze", "instant"]);
    expect(steps.at(-1)).toBe("release");
    expect(steps.filter((name) => name === "release")).toHaveLength(1);
  });

  test.each(["freeze", "instant", "open", "read", "close complete"])("gives it back when %s fails", async (failing) => {
    const fail = (name: string): void => {
      steps.push(name);
      if (name === failing) throw new Error(`no ${name}`);
    };
    runs.platform.step = fail;
    const taps = [(hooks: RunHooks) => hooks.beforeSnapshot.tap("test", () => fail("freeze"))];
    await runs.backUp({ strategy: withTurns(), taps }).catch(() => undefined);
    expect(steps).toContain(failing);
    expect(steps.filter((name) => ["turn", "release"].includes(name))).toEqual(["turn", "release"]);
    expect(steps.at(-1)).toBe("release");
  });

  test("does not touch the guest when there will be no turn", async () => {
    const strategy = Object.assign(new ModelStrategy(runs.platform), {
      awaitTurn: () => Promise.reject(new ManagerError("no room")),
    });
    await expect(runs.backUp({ strategy, taps: [freezing] })).rejects.toThrow("no room");
    expect(steps).toEqual([]);
    expect((await runs.ledger.report()).active).toEqual([]);
  });
});
