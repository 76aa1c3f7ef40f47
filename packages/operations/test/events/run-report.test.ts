import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createRunHooks, systemClock, type Clock } from "@ovault/contract";
import type { Reporter, RunEvent } from "@ovault/operations";

import { JobOutput } from "../../src/events/job-output.ts";
import { RunReport } from "../../src/events/run-report.ts";

const subject = {
  job: "backup",
  machine: { id: "1", name: "web01", manager: "prod" },
  title: "web01",
  runs: 1,
} as const;

const unheard: Reporter = { note: () => undefined, warn: () => undefined };

function reported({ signal = new AbortController().signal } = {}) {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, now: () => new Date(nowMs), elapsedMs: () => nowMs };
  const events: RunEvent[] = [];
  const reporter = new JobOutput({ emit: (event) => void events.push(event), reporter: unheard });
  const run = new RunReport(subject, { reporter, signal, clock });
  const hooks = createRunHooks();
  run.follow(hooks);
  return { run, hooks, events, wait: (ms: number) => void (nowMs += ms) };
}

const span = (diskId: string, doneBytes: number, logicalBytes = 9e9) => ({
  diskId,
  doneBytes,
  logicalBytes,
  readBytes: 0,
  storedBytes: 0,
});

describe("progress", () => {
  const steps = fc.array(fc.record({ disk: fc.constantFrom("a", "b"), waitMs: fc.integer({ min: 0, max: 150 }) }), {
    minLength: 1,
    maxLength: 40,
  });

  test("of each disk comes five times a second at most, and the last before the end", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom("copied", "failed"), (moves, end) => {
        const { hooks, events, wait } = reported();
        const last = new Map<string, number>();
        for (const [done, { disk, waitMs }] of moves.entries()) {
          wait(waitMs);
          hooks.span.call(span(disk, done));
          last.set(disk, done);
        }
        const inTime = events.length;
        if (end === "copied") hooks.copied.call();
        else hooks.failed.call(new Error("a fault"));
        const progress = events.filter((event) => event.kind === "progress");
        for (const [disk, done] of last) {
          const own = progress.filter(({ diskId }) => diskId === disk);
          expect(own.at(-1)?.doneBytes).toBe(done);
          const times = own.filter((event) => events.indexOf(event) < inTime).map(({ at }) => Date.parse(at));
          for (const [index, at] of times.slice(1).entries())
            expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(200);
        }
        expect(events.at(-1)?.kind).toBe(end);
      }),
    );
  });
});

test("a disk that is complete says so at once, while others move on", () => {
  const { hooks, events } = reported();
  for (const doneBytes of [1, 2, 3]) hooks.span.call(span("a", doneBytes, 3));
  hooks.span.call(span("b", 1));
  expect(events).toMatchObject([
    { diskId: "a", doneBytes: 1 },
    { diskId: "a", doneBytes: 3 },
    { diskId: "b", doneBytes: 1 },
  ]);
});

const NOTHING_PRUNED = {
  knownPages: 9,
  copiedBytes: 0,
  provedBytes: 0,
  freedPacks: 0,
  freedBytes: 0,
  extendedLocks: 0,
};
const pruned = (pages: number) => ({ of: "prune", step: "reading block maps", pages, ...NOTHING_PRUNED }) as const;
const copied = (point: string, doneBytes: number) =>
  ({ of: "copy", point, vm: "web01", logicalBytes: 9, doneBytes, readBytes: 0, storedBytes: 0 }) as const;

test("the last counts of a step of a prune and of each point of a copy come before what follows", () => {
  const { run, events } = reported();
  run.counted(pruned(1));
  run.counted(pruned(2));
  run.phase("copying");
  run.counted(copied("first", 3));
  run.counted(copied("first", 4));
  run.counted(copied("second", 5));
  run.finish({} as never);
  expect(events).toMatchObject([
    { counts: { pages: 1 } },
    { counts: { pages: 2 } },
    { kind: "phase" },
    { counts: { point: "first", doneBytes: 3 } },
    { counts: { point: "first", doneBytes: 4 } },
    { counts: { point: "second", doneBytes: 5 } },
    { kind: "finished" },
  ]);
});

describe("the end of a run", () => {
  test("is reported once, and nothing follows it", () => {
    const { run, hooks, events } = reported();
    hooks.started.call({ runId: run.runId, vm: { ...subject.machine, status: "up", disks: [], attributes: {} } });
    hooks.failed.call(new Error("a fault"));
    hooks.finished.call();
    hooks.warning.call("too late");
    run.fail(new Error("another"));
    expect(events.map(({ kind }) => kind)).toEqual(["started", "failed"]);
    expect(events[1]).toMatchObject({
      runId: run.runId,
      job: "backup",
      machine: subject.machine,
      error: { message: "a fault" },
    });
  });

  test("is the cancellation where the run was cancelled, whatever failed first", () => {
    const controller = new AbortController();
    const { run, events } = reported({ signal: controller.signal });
    controller.abort(new Error("interrupted by SIGINT"));
    run.fail(new Error("a connection was closed"));
    expect(events).toMatchObject([{ kind: "failed", error: { message: "interrupted by SIGINT" } }]);
  });
});

test("the disks of a run are those that plugins have left", async () => {
  const { hooks, events } = reported();
  const disks = ["a", "b"].map(
    (id, index) => ({ id, alias: `disk ${id}`, index, logicalBytes: 5, format: "raw" }) as never,
  );
  hooks.selectDisks.tap("A plugin", ([first]) => (first === undefined ? [] : [first]));
  await hooks.selectDisks.promise(disks, { ...subject.machine, status: "up", disks: [], attributes: {} });
  expect(events).toMatchObject([{ kind: "disks", disks: [{ id: "a", alias: "disk a", logicalBytes: 5 }] }]);
});

function emit(): never {
  throw new Error("the database is gone");
}

test("an observer that throws does not affect the run", () => {
  const reporter = new JobOutput({ emit, reporter: unheard });
  const run = new RunReport(subject, { reporter, signal: new AbortController().signal });
  expect(() => run.start()).not.toThrow();
});
