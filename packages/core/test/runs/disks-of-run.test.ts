import { beforeEach, expect, test, vi } from "vitest";

import { QuiesceError, type RunHooks } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { MemoryStore, ModelStrategy } from "@ovault/testkit";

import type { ModelRuns } from "../support/model-runs.ts";
import { changed, repositoryRuns } from "./support/repository-runs.ts";

let runs: ModelRuns<Repository>;

beforeEach(async () => {
  runs = await repositoryRuns(new MemoryStore());
});

function removeAllDisks(hooks: RunHooks): void {
  hooks.selectDisks.tap("test", () => []);
}

test("a machine without a disk to take keeps its configuration as a point, which says so", async () => {
  const calls: string[] = [];
  const watch = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void calls.push("snapshot"));
    hooks.consistency.tap("test", () => {
      throw new QuiesceError("nothing was frozen");
    });
  };
  runs.strategy.skipped.add("a");
  const point = await runs.backUp({ taps: [watch] });
  expect(await runs.sealed()).toEqual([point]);
  expect(point).toMatchObject({ basePoint: null, disks: [], skipped: [{ disk: { id: "a" }, reason: "a test" }] });
  expect(point.documents[0]?.text).toBe("<Envelope/>");
  expect(point.warnings).toEqual([expect.stringMatching(/web01 has no disk that can be taken \(a: a test\)/)]);
  // Nothing is read, so that nothing has to come to rest for it.
  expect(calls).toEqual([]);
  runs.platform.disks.clear();
  expect((await runs.backUp()).disks).toEqual([]);
});

test("a machine that has disks is never sealed without any of them", async () => {
  const all = { excludeDisks: ["a"] };
  await expect(runs.backUp(all)).rejects.toMatchObject({
    code: "E_USAGE",
    message: expect.stringContaining("a: excluded by the user"),
  });
  await expect(runs.backUp({ taps: [removeAllDisks] })).rejects.toMatchObject({ code: "E_USAGE" });
  runs.platform.disks.set("b", changed);
  runs.strategy.skipped.add("b");
  await expect(runs.backUp(all)).rejects.toMatchObject({ code: "E_USAGE" });
  expect(await runs.sealed()).toEqual([]);
});

test("a point without disks lets what the one before kept on the manager go", async () => {
  const owner = Object.assign(new ModelStrategy(runs.platform), {
    keeps: () => [{ kind: "checkpoint", title: "old checkpoint", detail: {} }],
  });
  const leftovers = vi.spyOn(owner, "leftovers");
  await runs.backUp({ strategy: owner, strategies: [owner] });
  runs.strategy.skipped.add("a");
  owner.skipped.add("a");
  const point = await runs.backUp({ strategy: owner, strategies: [owner] });
  expect(point.disks).toEqual([]);
  expect(leftovers.mock.calls.flatMap(([entries]) => entries.map(({ title }) => title))).toEqual(["old checkpoint"]);
  expect(await runs.ledger.abandoned()).toEqual([]);
});

test("a disk the strategy cannot take is an error unless it is excluded", async () => {
  runs.platform.disks.set("b", changed);
  runs.strategy.impossible.add("b");
  await expect(runs.backUp()).rejects.toMatchObject({ code: "E_USAGE", message: expect.stringContaining("disk b") });
  const point = await runs.backUp({ excludeDisks: ["b"] });
  expect(point.disks.length).toBe(1);
  expect(point.skipped).toMatchObject([{ disk: { id: "b" }, reason: "excluded by the user" }]);
});
