import { beforeEach, expect, test } from "vitest";

import type { RunHooks } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import type { ModelRuns } from "../support/model-runs.ts";
import { image, repositoryRuns } from "./support/repository-runs.ts";

let runs: ModelRuns<Repository>;

beforeEach(async () => {
  runs = await repositoryRuns(new MemoryStore());
});

test("a restore that the strategy refuses has reported no phase but the check", async () => {
  const point = await runs.backUp();
  const phases: string[] = [];
  runs.platform.step = () => {
    throw new Error("refused");
  };
  const taps = [(hooks: RunHooks) => hooks.phase.tap("test", ({ phase }) => void phases.push(phase))];
  await expect(runs.restore(point, { taps })).rejects.toThrow("refused");
  expect(phases).toEqual(["check"]);
});

test("a restore gives back every byte, and a failure at any of its steps leaves nothing", async () => {
  const point = await runs.backUp();
  const steps: string[] = [];
  runs.platform.step = (name) => steps.push(name);
  expect((await runs.restore(point)).disks).toEqual({ a: image.bytes });
  for (const at of steps.keys()) {
    let count = 0;
    runs.platform.step = (name) => {
      if (name !== "abort" && count++ === at) throw new Error("planned");
    };
    await expect(runs.restore(point)).rejects.toThrow("planned");
    expect(runs.platform.made.size).toBe(0);
  }
});
