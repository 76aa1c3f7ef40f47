import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Clock, hasCode, type ObjectStore } from "@ovault/contract";
import { copyPoints, FileLedger, type Ledger, prune, readOnly, Repository } from "@ovault/core";
import { FaultyStore, keysOf, MemoryStore, ScheduledStore, ScheduledTime } from "@ovault/testkit";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { BLOCK_BYTES, blockDisk, blocksOf } from "@ovault/test-support/repository/block-disk";
import { brokenPoints, garbage } from "@ovault/test-support/repository/inspect-blocks";
import { type BlockRun, takeBlockPoint } from "@ovault/test-support/repository/take-block-point";
import { ELSEWHERE } from "@ovault/test-support/repository/block-site";

import { plain } from "../../src/blocks/codecs/plain.ts";
import { originOf } from "../../src/points/point-id.ts";
import { type Freeze, FreezingStore } from "./support/freezing-store.ts";
import { LaggingStore } from "./support/lagging-store.ts";
import { UnconditionalStore } from "./support/unconditional-store.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Calls that a listing may lag behind. */
const LAG = 20;

let directory: string;
let ledger: Ledger;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-interleavings-"));
  ledger = await FileLedger.open(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const blockRun: fc.Arbitrary<BlockRun> = fc.record({
  vm: fc.constantFrom("vm-1", "vm-2"),
  // Few contents, so that what one run needs no more is what another one meets again.
  blocks: fc.array(fc.nat(4), { minLength: 3, maxLength: 4 }),
  full: fc.boolean(),
  tracks: fc.boolean(),
});
const originRun = fc.record({
  vm: fc.constantFrom("vm-3", "vm-3", "vm-1"),
  blocks: blockRun.map(({ blocks }) => blocks),
});
const calls = fc.integer({ min: 10, max: 600 });
const nth = fc.integer({ min: 1, max: 3 });
const stoppedWriter = fc.record({
  kind: fc.constant("put"),
  prefix: fc.constantFrom("points/", "index/", "packs/", "leases/"),
  nth,
  calls,
});
const stoppedCopier = fc.record({
  kind: fc.constant("put"),
  prefix: fc.constantFrom("points/", "points/", "points/", "packs/", "leases/"),
  nth: fc.constantFrom(1, 1, 2),
  calls: fc.integer({ min: 100, max: 1500 }),
});
const stoppedPruner = fc.oneof(
  fc.record({ kind: fc.constant("put"), prefix: fc.constantFrom("condemned/", "verdicts/", "index/"), nth, calls }),
  fc.record({ kind: fc.constant("delete"), prefix: fc.constantFrom("condemned/", "index/", "packs/"), nth, calls }),
  fc.record({ kind: fc.constant("list"), prefix: fc.constantFrom("points/", "leases/", "packs/"), nth, calls }),
);

const stoppedHolder = fc.oneof(
  fc.record({ kind: fc.constant("put"), prefix: fc.constant("leases/hold-"), nth, calls }),
  fc.record({ kind: fc.constant("put"), prefix: fc.constant("verdicts/"), nth: fc.constant(1), calls }),
  fc.record({ kind: fc.constant("list"), prefix: fc.constantFrom("leases/hold-", "condemned/"), nth, calls }),
  fc.record({ kind: fc.constant("stat"), prefix: fc.constant("points/"), nth, calls }),
);

interface Party {
  readonly freeze: Freeze | undefined;
  readonly skewMs: number;
}
interface Writer extends Party {
  readonly runs: readonly BlockRun[];
}
interface Pruner extends Party {
  readonly rounds: number;
  readonly graceMs: number;
  readonly minDeadShare: number;
}
interface Copier extends Party {
  /** The machine of which it copies all points. */
  readonly vm: string;
  readonly startsMs: number;
  /** The call to the destination at which it is killed. */
  readonly dies: number | undefined;
}
interface Holder extends Party {
  readonly startsMs: number;
  /** The point, counted from the newest. */
  readonly which: number;
  /** How often it looks whether all of the point is there. */
  readonly looks: number;
  readonly pauseMs: number;
}
/** What goes on at once. */
interface Workload {
  readonly before: readonly BlockRun[];
  /** Taken in another repository, from which points are copied. */
  readonly origins: readonly BlockRun[];
  readonly copiers: readonly Copier[];
  readonly writers: readonly Writer[];
  readonly pruners: readonly Pruner[];
  readonly holders: readonly Holder[];
  /** Points to forget, counted from the newest: some before, some meanwhile. */
  readonly forgotten: { readonly before: readonly number[]; readonly meanwhile: readonly number[] };
}

function arbitraryWorkload(options: {
  readonly freezes: boolean;
  /** Points are copied too, to where the others work. */
  readonly copies?: boolean;
  /** Points are held while they are forgotten and pruned. */
  readonly holds?: boolean;
  readonly graceMs: fc.Arbitrary<number>;
}): fc.Arbitrary<Workload> {
  const none = fc.constant(undefined);
  const skewMs = fc.integer({ min: -9, max: 9 }).map((minutes) => minutes * MINUTE_MS);
  const frozen = (freeze: fc.Arbitrary<Freeze>) => (options.freezes ? fc.oneof(none, freeze) : none);
  const runs = fc.array(blockRun, { minLength: 1, maxLength: 3 });
  const writer: fc.Arbitrary<Writer> = fc.record({
    runs,
    freeze: frozen(stoppedWriter as fc.Arbitrary<Freeze>),
    skewMs,
  });
  const pruner: fc.Arbitrary<Pruner> = fc.record({
    rounds: fc.integer(options.copies ? { min: 3, max: 6 } : { min: 1, max: 3 }),
    graceMs: options.graceMs,
    minDeadShare: fc.constantFrom(0.1, 0.5, 1),
    freeze: frozen(stoppedPruner as fc.Arbitrary<Freeze>),
    skewMs,
  });
  const copier: fc.Arbitrary<Copier> = fc.record({
    vm: fc.constantFrom("vm-3", "vm-3", "vm-1"),
    startsMs: fc.constant(0),
    dies: none,
    freeze: stoppedCopier as fc.Arbitrary<Freeze>,
    skewMs,
  });
  // By then those before may have been replaced, and what they stored may be gone.
  const lateCopier: fc.Arbitrary<Copier> = fc.record({
    vm: fc.constantFrom("vm-3", "vm-3", "vm-1"),
    startsMs: fc.integer({ min: 0, max: 60 }).map((minutes) => minutes * MINUTE_MS),
    dies: fc.option(fc.integer({ min: 25, max: 70 }), { nil: undefined, freq: 3 }),
    freeze: fc.oneof(none, stoppedCopier as fc.Arbitrary<Freeze>),
    skewMs,
  });
  const copies = options.copies ?? false;
  const holder: fc.Arbitrary<Holder> = fc.record({
    startsMs: fc.integer({ min: 0, max: 60 }).map((minutes) => minutes * MINUTE_MS),
    which: fc.nat(2),
    looks: fc.integer({ min: 1, max: 6 }),
    pauseMs: fc.integer({ min: 1, max: 30 }).map((minutes) => minutes * MINUTE_MS),
    freeze: frozen(stoppedHolder as fc.Arbitrary<Freeze>),
    skewMs,
  });
  return fc.record({
    before: fc.array(blockRun, { minLength: 1, maxLength: 3 }),
    origins: copies ? fc.array(originRun, { minLength: 1, maxLength: 3 }) : fc.constant([]),
    copiers: copies
      ? fc.tuple(copier, fc.array(lateCopier, { minLength: 1, maxLength: 3 })).map(([one, more]) => [one, ...more])
      : fc.constant([]),
    writers: fc.array(writer, { minLength: copies ? 0 : 1, maxLength: copies ? 1 : 3 }),
    pruners: fc.array(pruner, { minLength: 1, maxLength: 2 }),
    holders: fc.array(holder, options.holds ? { minLength: 1, maxLength: 3 } : { maxLength: 0 }),
    forgotten: fc.record({
      before: fc.array(fc.nat(2), { maxLength: 2 }),
      meanwhile: fc.array(fc.nat(2), { maxLength: 3 }),
    }),
  });
}

interface Place {
  /** As another machine sees it. */
  readonly newClient: () => ObjectStore;
  /** As it is. */
  readonly present: MemoryStore;
  /** The clock of all processes. */
  readonly clockOf: (clock: Clock) => Clock;
  readonly pauseMs: number;
}

function originsOf(ids: Iterable<string>): ReadonlySet<string> {
  return new Set([...ids].map(originOf));
}

/** A process that was suspended may fail in any way, others only because they were taken for dead. */
function unlessStopped({ freeze }: Party): (error: unknown) => undefined {
  return (error) => {
    if (freeze === undefined && !hasCode(error, "E_LEASE_LOST")) throw error;
  };
}

/** Lets everything happen at once, then looks whether anything is lost; then prunes in peace, and looks what is left. */
async function play(
  scheduler: fc.Scheduler,
  { newClient, present, clockOf, pauseMs }: Place,
  workload: Workload,
): Promise<void> {
  const time = new ScheduledTime(scheduler);
  const sealed = new Set<string>();
  /** Ids of points that a copier has answered to be there. */
  const copied = new Set<string>();
  // By itself: a point can be forgotten before the run that has sealed it tells of it.
  const forgotten = new Set<string>();
  const forget = async (repository: Repository, which: number): Promise<void> => {
    const point = (await repository.points.list(never)).points.at(-1 - which);
    if (point === undefined) return;
    forgotten.add(point.id);
    await repository.points.forget(point, never);
  };
  const origin = new MemoryStore();
  const origins = await smallRepository(origin, BLOCK_BYTES, plain);
  for (const run of workload.origins) await takeBlockPoint(origins, run, { ledger, signal: never });
  const first = await smallRepository(newClient(), BLOCK_BYTES, plain);
  for (const run of workload.before) sealed.add((await takeBlockPoint(first, run, { ledger, signal: never })).id);
  for (const which of workload.forgotten.before) await forget(first, which);

  const surroundings = { calls: 0, step: () => scheduler.schedule(Promise.resolve(), "stands still") };
  const enter = async (
    { freeze, skewMs }: Party,
    dies = Infinity,
  ): Promise<{ readonly repository: Repository; readonly clock: Clock }> => {
    const clock = clockOf(time.clock(skewMs));
    const frozen = new FreezingStore(new ScheduledStore(newClient(), scheduler), freeze, surroundings);
    const machine = new FaultyStore(frozen, { call: dies, when: "before", forGood: true });
    return { repository: await Repository.open(machine, { packBytes: 1200, codec: plain, signal: never }), clock };
  };
  const write = async (writer: Writer): Promise<void> => {
    const { repository, clock } = await enter(writer);
    for (const run of writer.runs) {
      const options = { ledger, signal: never, clock, process: ELSEWHERE };
      const point = await takeBlockPoint(repository, run, options).catch(unlessStopped(writer));
      if (point !== undefined) sealed.add(point.id);
    }
  };
  const copy = async (copier: Copier): Promise<void> => {
    await clockOf(time.clock()).sleep(copier.startsMs, never);
    const { repository: to, clock } = await enter(copier, copier.dies);
    const from = await Repository.open(readOnly(origin, "readOnly"), { signal: never });
    const { points } = await from.points.listOf({ id: copier.vm, manager: "model" }, never);
    const options = { from, to, points, lanes: 1, ifBusy: "wait", process: ELSEWHERE, clock, signal: never } as const;
    for (const { error, copyId, point } of await copyPoints(options)) {
      if (copyId !== undefined) copied.add(point.id);
      // What was forgotten here is not copied before it is pruned.
      else if (copier.dies === undefined && !hasCode(error, "E_USAGE")) unlessStopped(copier)(error);
    }
  };
  const clean = async (pruner: Pruner): Promise<void> => {
    const { repository, clock } = await enter(pruner);
    for (let round = 0; round < pruner.rounds; round += 1) {
      const { graceMs, minDeadShare } = pruner;
      const repack = { minDeadShare, budgetBytes: 4000 };
      const holder = { runId: randomUUID(), ...ELSEWHERE };
      const options = { graceMs, repack, holder, clock, ifBusy: "wait", signal: never } as const;
      await prune(repository, options).catch(unlessStopped(pruner));
      await clock.sleep(pauseMs, never);
    }
  };
  /** What held points lost, and what was refused without a reason. */
  const broken: unknown[] = [];
  const hold = async (holder: Holder): Promise<void> => {
    const { repository, clock } = await enter(holder);
    await clock.sleep(holder.startsMs, never);
    const point = (await repository.points.list(never)).points.at(-1 - holder.which);
    if (point === undefined) return;
    const options = { runId: randomUUID(), process: ELSEWHERE, clock, signal: never };
    const held = await repository.hold(point, options).catch((error: unknown) => {
      if (!hasCode(error, "E_NOT_FOUND")) unlessStopped(holder)(error);
      else if (!forgotten.has(point.id)) broken.push(error);
    });
    if (held === undefined) return;
    const expected = blockDisk(blocksOf(point.vm)).bytes;
    for (let look = 0; look < holder.looks; look += 1) {
      await clock.sleep(holder.pauseMs, never);
      const bytes = await restoredBytes(await reopen(present), point).catch(() => undefined);
      if (bytes !== undefined && Buffer.compare(bytes, expected) === 0) continue;
      // Only a hold that was silent for too long loses its point, and says so.
      const stands = await held.assertHeld(never).catch((error: unknown) => error);
      if (!hasCode(stands, "E_NOT_FOUND") || !held.signal.aborted) broken.push(stands ?? `${point.id} is not whole`);
      break;
    }
    await held.release();
  };
  const forgetSome = async (): Promise<void> => {
    const { repository } = await enter({ freeze: undefined, skewMs: 0 });
    for (const which of workload.forgotten.meanwhile) await forget(repository, which);
  };
  const { writers, copiers, pruners, holders } = workload;
  const parties = [...writers.map(write), ...copiers.map(copy), ...pruners.map(clean), ...holders.map(hold)];
  await scheduler.waitFor(Promise.all([...parties, forgetSome()]));

  expect(broken).toEqual([]);
  expect(await brokenPoints(present)).toEqual([]);
  const { points } = await (await Repository.open(present, { signal: never })).points.list(never);
  const expected = [...sealed].filter((id) => !forgotten.has(id));
  const missing = expected.filter((id) => !points.some((point) => point.id === id));
  expect(missing).toEqual([]);
  const there = originsOf(points.map(({ id }) => id));
  expect([...copied].filter((id) => !there.has(id) && !originsOf(forgotten).has(id))).toEqual([]);
  // A point is copied once, whatever became of those that tried.
  expect(there.size).toBe(points.length);
  // All processes are gone: what they held is stale by now.
  const later: Clock = { ...time.clock(), now: () => new Date(Date.UTC(2027, 0, 1)) };
  for (let round = 0; round < 2; round += 1) {
    const repository = await Repository.open(present, { packBytes: 1200, codec: plain, signal: never });
    const repack = { minDeadShare: 0.01, budgetBytes: 1e9 };
    const holder = { runId: randomUUID(), ...ELSEWHERE };
    await scheduler.waitFor(prune(repository, { graceMs: 0, repack, holder, clock: later, signal: never }));
  }
  expect(await brokenPoints(present)).toEqual([]);
  expect(await garbage(present)).toEqual([]);
  expect((await keysOf(present, "leases/")).filter((key) => key.startsWith("leases/hold-"))).toEqual([]);
}

/** Lets what is not under the scheduler's hand (hashing, the ledger) go on between two steps. */
const scheduler = fc.scheduler({
  act: async (step) => {
    await step();
    await new Promise(setImmediate);
  },
});
const numRuns = (usual: number): number => Number(process.env["OVAULT_INTERLEAVINGS"] ?? usual);

test("every sealed point restores, whatever runs beside prune and whichever process is suspended", async () => {
  await fc.assert(
    fc.asyncProperty(
      scheduler,
      arbitraryWorkload({ freezes: true, graceMs: fc.constantFrom(0, 0, 30 * MINUTE_MS) }),
      async (schedule, what) => {
        const present = new MemoryStore();
        await play(
          schedule,
          { newClient: () => present, present, clockOf: (clock) => clock, pauseMs: 20 * MINUTE_MS },
          what,
        );
      },
    ),
    { numRuns: numRuns(100) },
  );
}, 600_000);

test("no copy exists without all of its data, whichever runs copy, prune, are killed, suspended or replaced", async () => {
  await fc.assert(
    fc.asyncProperty(
      scheduler,
      arbitraryWorkload({ freezes: true, copies: true, graceMs: fc.constant(0) }),
      async (schedule, what) => {
        const present = new MemoryStore();
        await play(
          schedule,
          { newClient: () => present, present, clockOf: (clock) => clock, pauseMs: 10 * MINUTE_MS },
          what,
        );
      },
    ),
    { numRuns: numRuns(100) },
  );
}, 600_000);

test("nothing that a held point needs goes, whichever runs forget, prune, hold, are suspended or replaced", async () => {
  await fc.assert(
    fc.asyncProperty(
      scheduler,
      arbitraryWorkload({ freezes: true, holds: true, graceMs: fc.constantFrom(0, 0, 30 * MINUTE_MS) }),
      async (schedule, what) => {
        const present = new MemoryStore();
        const place = { newClient: () => present, present, clockOf: (clock: Clock) => clock };
        await play(schedule, { ...place, pauseMs: 20 * MINUTE_MS }, what);
      },
    ),
    { numRuns: numRuns(100) },
  );
}, 600_000);

test("where listings lag behind, the grace time makes up for it", async () => {
  await fc.assert(
    fc.asyncProperty(
      scheduler,
      fc.array(fc.nat(LAG), { minLength: 1, maxLength: 20 }),
      arbitraryWorkload({ freezes: false, holds: true, graceMs: fc.constant(HOUR_MS) }),
      async (schedule, lags, what) => {
        let listing = 0;
        const lagging = new LaggingStore(() => lags[(listing += 1) % lags.length] ?? 0);
        // Time does not pass without anything happening: no listing is older than a minute.
        const clockOf = (clock: Clock): Clock => ({
          ...clock,
          sleep: async (ms, signal) => {
            await clock.sleep(ms, signal);
            lagging.pass(Math.floor(ms / MINUTE_MS) * LAG);
          },
        });
        const place = { newClient: () => lagging.client(), present: lagging.present, clockOf, pauseMs: HOUR_MS };
        await play(schedule, place, what);
      },
    ),
    { numRuns: numRuns(40) },
  );
}, 600_000);

test("on a store without conditional puts, nothing is deleted before a day has passed without runs", async () => {
  await fc.assert(
    fc.asyncProperty(
      scheduler,
      arbitraryWorkload({ freezes: false, holds: true, graceMs: fc.constant(0) }),
      async (schedule, what) => {
        const present = new MemoryStore();
        const newClient = (): ObjectStore => new UnconditionalStore(present);
        await play(schedule, { newClient, present, clockOf: (clock) => clock, pauseMs: 25 * HOUR_MS }, what);
      },
    ),
    { numRuns: numRuns(30) },
  );
}, 600_000);
