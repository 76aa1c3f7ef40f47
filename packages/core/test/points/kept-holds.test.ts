import { randomUUID } from "node:crypto";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { ObjectStore, RecoveryPoint } from "@ovault/contract";
import type { PointHold } from "@ovault/core";
import { BlockSite, DEAD, hoursLater } from "@ovault/test-support/repository/block-site";
import { garbage, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { blockDisk } from "@ovault/test-support/repository/block-disk";
import { FaultyStore, keysOf } from "@ovault/testkit";

const BLOCKS = [1, 2, 3];

let site: BlockSite;
let point: RecoveryPoint;
const name = randomUUID();
beforeEach(async () => {
  site = await BlockSite.open();
  point = await site.backUp({ blocks: BLOCKS });
});
afterEach(() => site.close());

/** By a process that dies afterwards. */
async function keep(store?: ObjectStore, of = point): Promise<PointHold> {
  const repository = await site.repository(store);
  return await repository.hold(of, { runId: randomUUID(), process: DEAD, keptAs: name, signal: never });
}

async function expectReadable(): Promise<void> {
  expect(Buffer.from(await restoredBytes(await site.repository(), point))).toEqual(
    Buffer.from(blockDisk(BLOCKS).bytes),
  );
}

async function holdsInStore(): Promise<readonly string[]> {
  return (await keysOf(site.store, "leases/")).filter((key) => key.startsWith("leases/hold-"));
}

test("a kept hold outlives its process, by any clock, until it is taken again and released", async () => {
  await keep();
  await site.forget(point);
  for (const hours of [0, 24, 10_000]) {
    const doubts: string[] = [];
    const options = { clock: hoursLater(hours), onDoubt: (message: string) => doubts.push(message) };
    expect(await site.prune(options)).toMatchObject({
      deletedPoints: 0,
      heldPoints: [{ point: point.id, kept: true, resource: `hold-${name}` }],
    });
    expect(doubts).toEqual([]);
    await expectReadable();
  }
  const again = await keep();
  await again.assertHeld(never);
  expect(await holdsInStore()).toEqual([`leases/hold-${name}/00000001`]);
  await again.release();
  expect(await holdsInStore()).toEqual([]);
  await expect(again.assertHeld(never)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  expect(await site.prune()).toMatchObject({ deletedPoints: 1, heldPoints: [] });
  expect(await wrongs(site.store)).toEqual([]);
  await expect(keep()).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  expect(await holdsInStore()).toEqual([]);
});

test("one name holds one point", async () => {
  await keep();
  const other = await site.backUp({ blocks: [7], vm: "vm-2" });
  await expect(keep(undefined, other)).rejects.toMatchObject({ code: "E_USAGE" });
  expect(await holdsInStore()).toHaveLength(1);
});

test.each(["before", "after"] as const)(
  "a holder that dies %s any call has the hold when it takes it again, also of a point that was condemned meanwhile",
  async (when) => {
    const counting = new FaultyStore(site.store, { call: Infinity, when: "before" });
    const repository = await site.repository(counting);
    const opened = counting.calls;
    const options = { runId: randomUUID(), process: DEAD, keptAs: name, signal: never };
    await (await repository.hold(point, options)).release();
    const calls = counting.calls - opened;
    expect(calls).toBeGreaterThan(5);
    for (let call = 1; call <= calls; call += 1) {
      const forgotten = await site.backUp({ blocks: [10 + call], vm: "vm-2", full: true });
      // Points that were made meanwhile cost calls at opening.
      const opening = new FaultyStore(site.store, { call: Infinity, when: "before" });
      await (await site.repository(opening)).close();
      const dying = await site.repository(
        new FaultyStore(site.store, { call: opening.calls + call, when, forGood: true }),
      );
      await dying.hold(forgotten, options).catch(() => undefined);
      await site.forget(forgotten);
      await site.prune({ graceMs: 60 * 60 * 1000 });
      const again = await keep(undefined, forgotten);
      expect(await site.prune()).toMatchObject({ deletedPoints: 0, heldPoints: [{ point: forgotten.id }] });
      await again.release();
      expect(await site.prune()).toMatchObject({ deletedPoints: 1 });
      expect(await holdsInStore()).toEqual([]);
    }
    expect(await wrongs(site.store)).toEqual([]);
    expect(await garbage(site.store)).toEqual([]);
  },
);
