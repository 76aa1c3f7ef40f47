import { randomUUID } from "node:crypto";

import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type Clock, hasCode, type ObjectStore, type ProcessIdentity, type RecoveryPoint } from "@ovault/contract";
import { type PointHold, spaceReport } from "@ovault/core";
import { ALL, BlockSite, copyOf, DEAD, ELSEWHERE, hoursLater } from "@ovault/test-support/repository/block-site";
import { garbage, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { blockDisk } from "@ovault/test-support/repository/block-disk";
import { FaultyStore, keysOf, ScheduledStore } from "@ovault/testkit";

import { GatedStore } from "../maintenance/support/gated-store.ts";
import { FreezingStore } from "../maintenance/support/freezing-store.ts";

const HOUR_MS = 60 * 60 * 1000;
const BLOCKS = [1, 2, 3];

let site: BlockSite;
let point: RecoveryPoint;
beforeEach(async () => {
  site = await BlockSite.open();
  point = await site.backUp({ blocks: BLOCKS });
});
afterEach(() => site.close());

/** Lets what is not under the scheduler's hand go on between two steps. */
const steppingScheduler = fc.scheduler({
  act: async (step) => {
    await step();
    await new Promise(setImmediate);
  },
});

interface Holding {
  readonly process?: ProcessIdentity;
  readonly clock?: Clock;
  readonly onRenewed?: (message: string) => void;
}

async function hold(holding: Holding = {}, store?: ObjectStore): Promise<PointHold> {
  const repository = await site.repository(store);
  return await repository.hold(point, { runId: randomUUID(), process: ELSEWHERE, ...holding, signal: never });
}

/** By a process that has no hold. */
async function expectReadable(): Promise<void> {
  expect(Buffer.from(await restoredBytes(await site.repository(), point))).toEqual(
    Buffer.from(blockDisk(BLOCKS).bytes),
  );
}

async function holdsInStore(): Promise<readonly string[]> {
  return (await keysOf(site.store, "leases/")).filter((key) => key.startsWith("leases/hold-"));
}

test("a held point outlives forget and prune without grace, as often as they run, and goes when it is released", async () => {
  const held = await hold();
  await site.forget(point);
  expect(await site.visible()).toEqual([]);
  for (let round = 0; round < 3; round += 1) {
    const report = await site.prune({ repack: ALL });
    expect(report).toMatchObject({ freedPacks: 0, condemnedPacks: 0, deletedPoints: 0, heldBy: [] });
    expect(report.heldPoints).toEqual([
      expect.objectContaining({ point: point.id, node: "elsewhere", resource: expect.stringMatching(/^hold-/) }),
    ]);
    await expectReadable();
  }
  // Nothing of it is condemned, to be spared again: that would keep runs from relying on it.
  await site.prune({ graceMs: HOUR_MS });
  expect(await keysOf(site.store, "condemned/")).toEqual([]);
  const space = await spaceReport(await site.repository(), { signal: never });
  expect(space).toMatchObject({ deadPacks: { packs: 0 }, deadBytes: 0 });
  await held.assertHeld(never);
  await held.release();
  expect(await holdsInStore()).toEqual([]);
  expect(await site.prune()).toMatchObject({ deletedPoints: 1, heldPoints: [] });
  expect(await wrongs(site.store)).toEqual([]);
  expect(await keysOf(site.store, "packs/")).toEqual([]);
});

test("a hold keeps nothing but its point: what others gave up goes beside it", async () => {
  const other = await site.backUp({ blocks: [7, 8], vm: "vm-2" });
  const held = await hold();
  await site.forget(point, other);
  const report = await site.prune({ repack: ALL });
  expect(report).toMatchObject({ deletedPoints: 1, heldPoints: [{ point: point.id }] });
  expect(report.freedPacks).toBeGreaterThan(0);
  await expectReadable();
  await held.release();
});

test("packs of a held point that prune empties are read from where they went", async () => {
  const neighbour = await site.backUp({ blocks: [9, 1, 8, 2], vm: "vm-2", full: true });
  const repository = await site.repository();
  const held = await hold();
  await site.forget(point, neighbour);
  await site.prune({ repack: ALL });
  expect(Buffer.from(await restoredBytes(repository, point))).toEqual(Buffer.from(blockDisk(BLOCKS).bytes));
  await held.release();
});

test("a hold on a point that another node has forgotten, and prune condemned, withdraws the condemnation", async () => {
  await site.forget(point);
  expect((await site.prune({ graceMs: HOUR_MS })).condemnedPacks).toBeGreaterThan(0);
  const held = await hold();
  expect(await site.prune({ clock: hoursLater(0) })).toMatchObject({ deletedPoints: 0, heldPoints: [{}] });
  await expectReadable();
  await held.release();
  await site.prune();
  expect(await wrongs(site.store)).toEqual([]);
});

test("a hold that comes while prune decides wins or is refused, whichever of them the store has first", async () => {
  await site.forget(point);
  await site.prune({ graceMs: HOUR_MS });
  const place = new GatedStore(site.store);
  const deciding = place.stopAt(({ kind, key }) => kind === "put" && key.startsWith("verdicts/"));
  const pruning = site.prune({}, place);
  await deciding.reached;
  const held = await hold();
  deciding.release();
  await pruning;
  await expectReadable();
  await held.release();
  await site.prune({ graceMs: HOUR_MS });
  const slow = new GatedStore(site.store);
  const deleting = slow.stopAt(({ kind, key }) => kind === "delete" && key.startsWith("points/"));
  const finishing = site.prune({}, slow);
  await deleting.reached;
  await expect(hold()).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  deleting.release();
  await finishing;
  await expect(hold()).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  expect(await holdsInStore()).toEqual([]);
  expect(await garbage(site.store)).toEqual([]);
});

test("the hold of a process that has died on this machine ends at once", async () => {
  await hold({ process: DEAD });
  await site.forget(point);
  expect(await site.prune()).toMatchObject({ deletedPoints: 1, heldPoints: [] });
  expect(await holdsInStore()).toEqual([]);
  expect(await garbage(site.store)).toEqual([]);
});

test("a hold that dies elsewhere costs waiting, however wrong the clocks are, and no longer than its time to live", async () => {
  await hold();
  await site.forget(point);
  // Its clock is right, or a little late: too early to tell.
  expect(await site.prune({ clock: hoursLater(0.05) })).toMatchObject({ heldPoints: [{}] });
  await expectReadable();
  // By this clock it ended long ago, and no beat comes.
  const doubts: string[] = [];
  const report = await site.prune({ clock: hoursLater(9), onDoubt: (message) => doubts.push(message) });
  expect(report).toMatchObject({ deletedPoints: 1, heldPoints: [] });
  expect(doubts).toEqual([expect.stringMatching(/seems dead by this machine's clock: waiting 300 s/)]);
});

test("a hold that beats lives, though its clock is years behind", async () => {
  const slow = hoursLater(-20_000);
  const held = await hold({ clock: slow });
  await site.forget(point);
  expect(await site.prune({ clock: hoursLater(0) })).toMatchObject({ deletedPoints: 0, heldPoints: [{}] });
  await expectReadable();
  await held.release();
});

test("a hold that was found silent is taken again as long as the point is there, and says when it is not", async () => {
  const still = new GatedStore(site.store);
  const renewed: string[] = [];
  const held = await hold({ onRenewed: (message) => renewed.push(message) }, still);
  const stopped = still.stopAt(({ kind }) => kind === "put");
  const asserting = held.assertHeld(never);
  await stopped.reached;
  await site.forget(point);
  await site.prune({ clock: hoursLater(1), graceMs: HOUR_MS });
  stopped.release();
  await asserting;
  expect(renewed).toEqual([expect.stringContaining(point.id)]);
  await site.prune({ clock: hoursLater(0) });
  await expectReadable();
  const again = still.stopAt(({ kind }) => kind === "put");
  const late = held.assertHeld(never);
  await again.reached;
  await site.prune({ clock: hoursLater(1) });
  again.release();
  await expect(late).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  expect(held.signal.aborted).toBe(true);
  await held.release();
  expect(await holdsInStore()).toEqual([]);
});

test("a release that knows no holds takes one for a run that may rely on everything, and deletes nothing", async () => {
  const held = await hold();
  const [claim = "", beat = ""] = await holdsInStore();
  const texts = [claim, beat].map((key) => Buffer.from(site.store.objects.get(key) ?? []).toString());
  // As every release since leases were introduced reads them.
  expect(texts[0]).toMatch(/^ovault claim 1 sha256:\w+\n\{"state":"held","token":.*"seals":\[\],"holds":\["points\//);
  expect(texts[1]).toMatch(/^ovault beat 1 sha256:\w+\n\{"at":.*"acknowledged":\[\]\}$/);
  await held.release();
});

test.each(["before", "after"] as const)(
  "a store that is gone %s any call of a hold costs no data and leaves nothing that prune does not end",
  async (when) => {
    const counting = new FaultyStore(site.store, { call: Infinity, when: "before" });
    const before = await site.repository(counting);
    const opened = counting.calls;
    await (await before.hold(point, { runId: randomUUID(), process: DEAD, signal: never })).release();
    expect(counting.calls - opened).toBeGreaterThan(8);
    for (let call = opened + 1; call <= counting.calls; call += 1) {
      const dying = new FaultyStore(site.store, { call, when, forGood: true });
      const repository = await site.repository(dying);
      const options = { runId: randomUUID(), process: DEAD, signal: never };
      await repository.hold(point, options).then(
        (held) => held.release(),
        () => undefined,
      );
    }
    await expectReadable();
    await site.forget(point);
    await site.prune();
    expect(await holdsInStore()).toEqual([]);
    expect(await wrongs(site.store)).toEqual([]);
  },
);

test.each([
  ["condemned before", true],
  ["is about to condemn", false],
])("whenever a hold comes in a prune that takes a point it %s, it is refused or the point stays", async (_, early) => {
  await site.forget(point);
  if (early) await site.prune({ graceMs: HOUR_MS });
  const counting = new FaultyStore(copyOf(site).store, { call: Infinity, when: "before" });
  await site.at(counting).prune();
  const outcomes = { held: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(steppingScheduler, fc.nat(counting.calls), async (schedule, after) => {
      const { store } = copyOf(site);
      const around = { calls: 0, step: () => schedule.schedule(Promise.resolve(), "waits") };
      const pruning = site.at(new FreezingStore(new ScheduledStore(store, schedule), undefined, around)).prune();
      const holdAndLook = async (): Promise<void> => {
        const holder = await site.at(new ScheduledStore(store, schedule)).repository();
        for (let waits = 0; around.calls < after && waits < 10 * counting.calls; waits += 1) await around.step();
        const options = { runId: randomUUID(), process: ELSEWHERE, signal: never };
        const held = await holder.hold(point, options).catch((error: unknown) => {
          if (!hasCode(error, "E_NOT_FOUND")) throw error;
        });
        outcomes[held === undefined ? "refused" : "held"] += 1;
        await pruning;
        if (held === undefined) return;
        await site.at(store).prune();
        const bytes = await restoredBytes(await site.at(store).repository(), point);
        expect(Buffer.compare(bytes, blockDisk(BLOCKS).bytes)).toBe(0);
        await held.release();
      };
      await schedule.waitFor(holdAndLook());
      await site.at(store).prune();
      expect(await wrongs(store)).toEqual([]);
    }),
    { numRuns: 100 },
  );
  expect(outcomes.held).toBeGreaterThan(10);
  expect(outcomes.refused).toBeGreaterThan(10);
});
