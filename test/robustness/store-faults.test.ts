import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type ObjectStore, OvaultError, type RecoveryPoint } from "@ovault/contract";
import { FileLedger, retrying } from "@ovault/core";
import { selectPoints } from "@ovault/core/internal/retention/select-points";
import { FaultyStore } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

import { reopen } from "@ovault/test-support/repository/small-repository";
import { type Inspection, ModelSite } from "../support/model-site.ts";
import { markHoldersDead } from "../support/mark-holders-dead.ts";
import { UnreliableStore } from "../support/unreliable-store.ts";

const { signal } = new AbortController();

/** Something done with a store. */
interface Operation {
  readonly prepare?: (site: ModelSite) => void;
  /** Answers, when it went well, with a look at what it was to do, which finds nothing missing. */
  readonly run: (site: ModelSite, store: ObjectStore) => Promise<(points: Points) => readonly string[]>;
  /** Points that are gone when it was done, and may be when it failed. */
  readonly forgets?: (site: ModelSite) => readonly string[];
}
type Points = readonly RecoveryPoint[];

const operations: Readonly<Record<string, Operation>> = {
  "an incremental backup": { run: (site, store) => backUp(site, store, false) },
  "a full backup": { run: (site, store) => backUp(site, store, true) },
  "a backup where index objects are gone": { prepare: loseIndex, run: (site, store) => backUp(site, store, false) },
  "a restore": { run: restoreNewest },
  "a restore where index objects are gone": { prepare: loseIndex, run: restoreNewest },
  "forgetting by rules": { run: forgetAllButLast, forgets: ({ points }) => points.slice(0, -1) },
};

async function backUp(site: ModelSite, store: ObjectStore, full: boolean) {
  const { id } = await site.backUp(store, { full });
  return (points: Points) => (points.some((point) => point.id === id) ? [] : [`there is no point ${id}`]);
}

async function restoreNewest(site: ModelSite, store: ObjectStore) {
  const newest = site.points.at(-1) ?? "";
  await site.restore(store, newest);
  return () => site.restoredDiffering(newest);
}

async function forgetAllButLast(_: ModelSite, store: ObjectStore) {
  const { points } = await reopen(store);
  const { forget } = selectPoints((await points.list(signal)).points, { keepLast: 1 });
  for (const point of forget) await points.forget(point, signal);
  return (left: Points) => left.slice(0, -1).map(({ id }) => `${id} is still there`);
}

function loseIndex({ store }: ModelSite): void {
  for (const key of store.objects.keys()) if (key.startsWith("index/")) store.objects.delete(key);
}

let directory: string;
let origin: ModelSite;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-store-faults-"));
  origin = await ModelSite.prepare(await FileLedger.open(directory));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function freshSite({ prepare }: Operation): ModelSite {
  const site = origin.copy();
  prepare?.(site);
  return site;
}

/** What is wrong with a site: points lost or not as they must be, and what is left on the platform. */
function problemsOf(site: ModelSite, { forgets }: Operation, { points, differing }: Inspection): readonly string[] {
  const mayBeGone = forgets?.(site) ?? [];
  const lost = site.points.filter((id) => !mayBeGone.includes(id) && points.every((point) => point.id !== id));
  return [
    ...lost.map((id) => `point ${id} is lost`),
    ...differing.map((disk) => `${disk} is not as it must be`),
    ...[...site.platform.made].map((entry) => `${entry} is left on the platform`),
  ];
}

interface Outcome {
  readonly isGreen: boolean;
  readonly problems: readonly string[];
}

/** Runs once on a failing store, looks at what is left of everything, and runs again on a store that is well. */
async function drill(operation: Operation, failing: (store: ObjectStore) => ObjectStore): Promise<Outcome> {
  const site = freshSite(operation);
  let missing: Awaited<ReturnType<Operation["run"]>> | undefined;
  try {
    missing = await operation.run(site, failing(site.store));
  } catch (error) {
    if (!(error instanceof OvaultError)) throw error;
  }
  const after = await site.inspect();
  const problems = [...problemsOf(site, operation, after), ...(missing?.(after.points) ?? [])];
  await markHoldersDead(site.store);
  const missingAgain = await operation.run(site, site.store);
  const afterAgain = await site.inspect(1);
  problems.push(...problemsOf(site, operation, afterAgain), ...missingAgain(afterAgain.points));
  return { isGreen: missing !== undefined, problems };
}

/** How many calls this takes when nothing fails. */
async function callsOf(operation: Operation): Promise<number> {
  const site = freshSite(operation);
  const store = new FaultyStore(site.store, { call: Number.POSITIVE_INFINITY, when: "before" });
  await operation.run(site, store);
  return store.calls;
}

/** One call after the other fails, before and after it took effect. Answers with what went wrong, and where. */
async function drillEachCall(
  operation: Operation,
  { forGood, isRepeated }: { readonly forGood: boolean; readonly isRepeated: boolean },
): Promise<readonly string[]> {
  const calls = await callsOf(operation);
  const wrong: string[] = [];
  for (const when of ["before", "after"] as const) {
    for (let call = 1; call <= calls; call += 1) {
      const { isGreen, problems } = await drill(operation, (store) => {
        const faulty = new FaultyStore(store, { call, when, forGood });
        return isRepeated ? repeating(faulty) : faulty;
      });
      const needless = isRepeated && !forGood && !isGreen ? ["it failed, though the fault was over"] : [];
      wrong.push(...[...needless, ...problems].map((problem) => `fault ${when} call ${call} of ${calls}: ${problem}`));
    }
  }
  return wrong;
}

/** More often than one call fails here, unless it fails for good. */
function repeating(store: ObjectStore): ObjectStore {
  return retrying(store, { policy: { patienceMs: 1000, firstDelayMs: 250 }, clock: new SimulatedClock() });
}

describe.each(Object.entries(operations))("%s on a store that fails", (_, operation) => {
  test.each([
    ["at any call", { forGood: false, isRepeated: false }],
    ["at any call, which is repeated", { forGood: false, isRepeated: true }],
    ["from any call on", { forGood: true, isRepeated: false }],
    ["from any call on, though they are repeated", { forGood: true, isRepeated: true }],
  ])("%s, harms no point, is never green without its data, and works the next time", async (__, how) => {
    expect(await drillEachCall(operation, how)).toEqual([]);
  });

  test("at many calls, which are all repeated, is green", async () => {
    await fc.assert(
      fc.asyncProperty(UnreliableStore.outcomes(2), async (outcomes) => {
        const outcome = await drill(operation, (store) => repeating(new UnreliableStore(store, outcomes)));
        expect(outcome).toEqual({ isGreen: true, problems: [] });
      }),
      { numRuns: 25 },
    );
  });
});
