import * as fc from "fast-check";
import { expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";
import { retrying } from "@ovault/core";
import { applyChanges, arbitraryChanges, arbitraryDisk, FaultyStore, MemoryStore, sourceOf } from "@ovault/testkit";

import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

const changed = fc.tuple(arbitraryDisk(6), arbitraryChanges);

/** Calls that a run of this kind makes on its store. */
async function countCalls(run: (store: FaultyStore) => Promise<unknown>, store: MemoryStore): Promise<number> {
  const counting = new FaultyStore(clone(store), { call: Number.POSITIVE_INFINITY, when: "before" });
  await run(counting);
  return counting.calls;
}

function clone(store: MemoryStore): MemoryStore {
  const copy = new MemoryStore();
  for (const [key, bytes] of store.objects) copy.objects.set(key, bytes);
  return copy;
}

test.each(["before", "after"] as const)(
  "a store that fails for good %s its k-th call leaves earlier points whole, and the next run works",
  async (when) => {
    await fc.assert(
      fc.asyncProperty(changed, async ([first, changes]) => {
        const origin = new MemoryStore();
        const base = await takePoint(await smallRepository(origin, 512), [sourceOf(first)]);
        const second = applyChanges(first, changes);
        const run = async (store: FaultyStore) =>
          takePoint(await reopen(store), [sourceOf(second, { mode: "incremental" })], { base });
        const calls = await countCalls(run, origin);
        for (let call = 1; call <= calls; call += 1) {
          const store = clone(origin);
          await expect(run(new FaultyStore(store, { call, when, forGood: true }))).rejects.toThrow("planned fault");
          const survivor = await reopen(store);
          const { points } = await survivor.points.list(never);
          // Only the reply to the manifest's own put can be lost after the point became visible; then it is whole.
          const whole = points.length === 1 || (when === "after" && call === calls);
          expect(whole).toBe(true);
          for (const point of points) {
            const expected = point.id === base.id ? first.bytes : second.bytes;
            expect(await restoredBytes(survivor, point)).toEqual(expected);
          }
          const again = await takePoint(survivor, [sourceOf(second, { mode: "incremental" })], { base });
          expect(await restoredBytes(await reopen(store), again)).toEqual(second.bytes);
        }
      }),
      { numRuns: 12 },
    );
  },
);

test("transient faults of single calls are repeated, even when only the reply was lost", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(6), fc.constantFrom("before", "after"), async (disk, when) => {
      const origin = new MemoryStore();
      await smallRepository(origin, 512);
      const run = async (store: FaultyStore) =>
        takePoint(await reopen(retrying(store, { policy: { patienceMs: 60_000, firstDelayMs: 0 } })), [sourceOf(disk)]);
      const calls = await countCalls(run, origin);
      for (let call = 1; call <= calls; call += 1) {
        const store = clone(origin);
        const point = await run(new FaultyStore(store, { call, when }));
        expect(await restoredBytes(await reopen(store), point)).toEqual(disk.bytes);
      }
    }),
    { numRuns: 12 },
  );
});

test("a run that is cancelled at any read seals nothing and ends in its signal's error", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(8), fc.nat(20), async (disk, at) => {
      const store = new MemoryStore();
      const repository = await smallRepository(store, 512);
      const controller = new AbortController();
      let reads = 0;
      const onRead = (): void => {
        reads += 1;
        if (reads === at + 1) controller.abort(new CancelledError("enough"));
      };
      const taking = takePoint(repository, [sourceOf(disk, { onRead })], { signal: controller.signal });
      const outcome = await taking.then(
        () => "sealed",
        (error: Error) => error.message,
      );
      expect(outcome).toBe(reads > at ? "enough" : "sealed");
      expect((await repository.points.list(never)).points.length).toBe(reads > at ? 0 : 1);
    }),
  );
});
