import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type Resource, RunQueue } from "../../src/runs/run-queue.ts";

/** What a model run is at; it goes on when the test says so. */
type Stage = "waiting" | "copying" | "copied" | "over";

class ModelRun {
  readonly resources: readonly Resource[];
  stage: Stage = "waiting";
  starts = 0;
  copied: () => void = () => undefined;
  readonly end = Promise.withResolvers<void>();
  outcome: Promise<unknown> = Promise.resolve();

  constructor(resources: readonly Resource[]) {
    this.resources = resources;
  }
}

const resources: readonly Resource[] = [
  { name: "total", permits: 3 },
  { name: "host a", permits: 1 },
  { name: "host b", permits: 2 },
  { name: "domain", permits: 2 },
];
const arbitraryRun = fc.subarray([...resources]).map((loaded) => new ModelRun(loaded));
const arbitraryRuns = fc.array(arbitraryRun, { minLength: 1, maxLength: 12 });
const { signal: never } = new AbortController();

function enqueue(queue: RunQueue, run: ModelRun, signal: AbortSignal, fails: boolean): void {
  run.outcome = queue
    .run(run.resources, signal, async (copied) => {
      run.starts += 1;
      run.stage = "copying";
      run.copied = copied;
      await run.end.promise;
      run.stage = "over";
      if (fails) throw new Error("planned");
      return run;
    })
    .catch((error: unknown) => error);
}

/** Everything that can go on has gone on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function load(runs: readonly ModelRun[], name: string): number {
  return runs.filter((run) => run.resources.some((resource) => resource.name === name)).length;
}

test("limits are never exceeded, nothing idles that a run could use, every run runs once", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRuns, fc.nat(3), fc.infiniteStream(fc.nat(1000)), async (runs, finalizing, choices) => {
      const queue = new RunQueue({ finalizing });
      const fresh = runs.map(({ resources: loaded }) => new ModelRun(loaded));
      for (const [index, run] of fresh.entries()) enqueue(queue, run, never, index % 3 === 2);
      for (;;) {
        await settle();
        const waiting = fresh.filter(({ stage }) => stage === "waiting");
        const [copying, copied] = [
          fresh.filter(({ stage }) => stage === "copying"),
          fresh.filter(({ stage }) => stage === "copied"),
        ];
        for (const { name, permits } of resources) expect(load(copying, name)).toBeLessThanOrEqual(permits);
        // Those that are copied keep their permits as long as too many finalize.
        const startable = waiting.filter((run) =>
          run.resources.every(({ name, permits }) => load(copying, name) < permits),
        );
        expect(copied.length > finalizing ? [] : startable).toEqual([]);
        for (const { name, permits } of resources) {
          expect(load([...copying, ...copied], name)).toBeLessThanOrEqual(permits + finalizing);
        }
        const active = [...copying, ...copied];
        const choice = Number(choices.next().value);
        const run = active[choice % Math.max(1, active.length)];
        if (run === undefined) break;
        if (run.stage === "copying" && choice % 2 === 0) {
          run.stage = "copied";
          run.copied();
          run.copied();
        } else run.end.resolve();
      }
      expect(fresh.map(({ starts, stage }) => [starts, stage])).toEqual(fresh.map(() => [1, "over"]));
    }),
  );
});

test("the first that came goes first among those that could start", async () => {
  const queue = new RunQueue({ finalizing: 0 });
  const one = [{ name: "total", permits: 1 }];
  const order: number[] = [];
  await Promise.all([0, 1, 2, 3].map((number) => queue.run(one, never, async () => void order.push(number))));
  expect(order).toEqual([0, 1, 2, 3]);
});

function host(name: string): readonly Resource[] {
  return [
    { name: "total", permits: 2 },
    { name, permits: 1 },
  ];
}

test("one that must wait is overtaken by one that need not", async () => {
  const queue = new RunQueue({ finalizing: 0 });
  const [first, second, third] = [new ModelRun(host("a")), new ModelRun(host("a")), new ModelRun(host("b"))];
  for (const run of [first, second, third]) enqueue(queue, run, never, false);
  await settle();
  expect([first.stage, second.stage, third.stage]).toEqual(["copying", "waiting", "copying"]);
  first.end.resolve();
  await settle();
  expect(second.stage).toBe("copying");
});

test("after an abort nothing starts any more, and what runs ends by itself", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 3 }), async (count, permits) => {
      const abort = new AbortController();
      const queue = new RunQueue({ finalizing: 1 });
      const runs = Array.from({ length: count }, () => new ModelRun([{ name: "total", permits }]));
      for (const run of runs) enqueue(queue, run, abort.signal, false);
      await settle();
      const reason = new Error("enough");
      abort.abort(reason);
      const started = runs.filter(({ starts }) => starts > 0);
      for (const { end } of started) end.resolve();
      const outcomes = await Promise.all(runs.map(({ outcome }) => outcome));
      expect(started).toHaveLength(Math.min(count, permits));
      expect(outcomes).toEqual([...started, ...Array.from({ length: count - started.length }, () => reason)]);
      expect(runs.reduce((sum, { starts }) => sum + starts, 0)).toBe(started.length);
      await expect(queue.run([], abort.signal, async () => 1)).rejects.toBe(reason);
    }),
  );
});
