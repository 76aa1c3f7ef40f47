import { beforeEach, expect, test } from "vitest";

import type { RunHooks } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import { type ModelRuns } from "../support/model-runs.ts";
import { repositoryRuns } from "./support/repository-runs.ts";

let runs: ModelRuns<Repository>;

beforeEach(async () => {
  runs = await repositoryRuns(new MemoryStore());
});

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

test("gates may veto, observers may not harm, and thaw follows freeze in every case", async () => {
  const calls: string[] = [];
  const tap = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void calls.push("freeze"));
    hooks.afterSnapshot.tap("test", () => void calls.push("thaw"));
    hooks.phase.tap("test", () => {
      throw new Error("a bad observer");
    });
  };
  await runs.backUp({ taps: [tap] });
  expect(calls).toEqual(["freeze", "thaw"]);
  const before = await runs.sealed();
  await expect(runs.backUp({ taps: [veto] })).rejects.toThrow("vetoed");
  runs.platform.step = (name) => {
    if (name === "instant") throw new Error("no snapshot");
  };
  await expect(runs.backUp({ taps: [tap] })).rejects.toThrow("no snapshot");
  expect(calls).toEqual(["freeze", "thaw", "freeze", "thaw"]);
  expect(await runs.sealed()).toEqual(before);
  expect(runs.platform.made.size).toBe(0);
});

test("every tap after the snapshot is called, whatever the others throw, and the point tells what they threw", async () => {
  const calls: string[] = [];
  const tap = (hooks: RunHooks): void => {
    hooks.started.tap("test", ({ runId, vm }) => void calls.push(`${vm.name} ${runId === "" ? "without" : "with"} id`));
    hooks.afterSnapshot.tap("sync", () => {
      throw new Error("first");
    });
    hooks.afterSnapshot.tapPromise("promise", async () => {
      await Promise.resolve();
      throw new Error("second");
    });
    hooks.afterSnapshot.tapAsync("async", (_vm, _signal, done) => done(new Error("third")));
    hooks.afterSnapshot.tap("last", () => void calls.push("thaw"));
  };
  const { warnings } = await runs.backUp({ taps: [tap] });
  expect(warnings).toEqual(["first", "second", "third"].map((which) => `after the snapshot: ${which}`));
  expect(calls).toEqual([`${runs.platform.vm().name} with id`, "thaw"]);
});

test("a tap may know better how consistent the instant is, and may refuse it before anything is copied", async () => {
  const raised = await runs.backUp({ taps: [(hooks) => hooks.consistency.tap("test", () => "filesystem")] });
  expect(raised.consistency).toBe("filesystem");
  let spans = 0;
  const refusing = (hooks: RunHooks): void => {
    hooks.consistency.tap("test", (consistency, vm) => {
      throw new Error(`${vm.name} is only ${consistency}`);
    });
    hooks.span.tap("test", () => void (spans += 1));
  };
  await expect(runs.backUp({ full: true, taps: [refusing] })).rejects.toThrow("is only crash");
  expect(spans).toBe(0);
  expect(await runs.sealed()).toEqual([raised]);
  expect(runs.platform.made.size).toBe(0);
  expect((await runs.ledger.report()).active).toEqual([]);
});

test("an observer that throws, at once or later, costs neither the run nor the other observers anything", async () => {
  const heard: string[] = [];
  const tap = (hooks: RunHooks): void => {
    for (const hook of [
      hooks.started,
      hooks.phase,
      hooks.warning,
      hooks.span,
      hooks.copied,
      hooks.sealed,
      hooks.finished,
    ]) {
      hook.tap("throws", () => {
        throw new Error("a bad observer");
      });
      hook.tap("rejects", () => Promise.reject(new Error("a bad observer")) as never);
    }
    hooks.afterSnapshot.tap("warns", () => hooks.warning.call("the guest is slow"));
    hooks.sealed.tap("good", () => void heard.push("sealed"));
    hooks.finished.tap("good", () => void heard.push("finished"));
  };
  const { warnings } = await runs.backUp({ taps: [tap] });
  expect(warnings).toEqual(["the guest is slow"]);
  expect(heard).toEqual(["sealed", "finished"]);
});

test("a run says which strategy has opened its disks and what carries their data, before the first byte moves", async () => {
  const calls: unknown[] = [];
  const tap = (hooks: RunHooks): void => {
    hooks.afterSnapshot.tap("test", () => void calls.push("thaw"));
    hooks.opened.tap("test", (opened) => void calls.push(opened));
    hooks.span.tap("test", () => void calls.push("span"));
  };
  const point = await runs.backUp({ taps: [tap] });
  const disk = { diskId: "a", carrier: "memory", mode: "full", reason: point.disks[0]?.reason };
  expect(calls.slice(0, 2)).toEqual(["thaw", { strategy: "model", point: point.id, disks: [disk] }]);
  calls.length = 0;
  await runs.restore(point, { taps: [tap] });
  expect(calls[0]).toEqual({ strategy: "model", point: point.id, disks: [{ diskId: "a", carrier: null }] });
});
