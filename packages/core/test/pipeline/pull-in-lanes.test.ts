import * as fc from "fast-check";
import { firstValueFrom, lastValueFrom, toArray } from "rxjs";
import { expect, test } from "vitest";

import { pullInLanes } from "../../src/concurrency/pull-in-lanes.ts";

const never = new AbortController().signal;

async function* numbers(count: number, onPull: () => void = () => undefined) {
  for (let number = 0; number < count; number += 1) {
    onPull();
    yield number;
  }
}

test("no more items are pulled than lanes are free, under every interleaving", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(30), fc.integer({ min: 1, max: 5 }), async (scheduler, count, lanes) => {
      let pulled = 0;
      let done = 0;
      let most = 0;
      const source = numbers(count, () => {
        pulled += 1;
        most = Math.max(most, pulled - done);
      });
      const work = async (item: number) => {
        await scheduler.schedule(Promise.resolve());
        done += 1;
        return item;
      };
      const all = lastValueFrom(pullInLanes(source, lanes, work, never).pipe(toArray()), { defaultValue: [] });
      const results = await scheduler.waitFor(all);
      expect(results.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
      expect(most).toBeLessThanOrEqual(lanes);
    }),
  );
});

test("a failure is reported only after everything in flight has settled", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(20), fc.integer({ min: 1, max: 5 }), async (scheduler, bad, lanes) => {
      let inFlight = 0;
      const work = async (item: number) => {
        inFlight += 1;
        try {
          await scheduler.schedule(Promise.resolve());
          if (item === bad) throw new Error("planned");
        } finally {
          inFlight -= 1;
        }
      };
      const all = lastValueFrom(pullInLanes(numbers(21), lanes, work, never), { defaultValue: undefined });
      const outcome = all.then(
        () => "completed",
        (error: Error) => error.message,
      );
      expect(await scheduler.waitFor(outcome)).toBe("planned");
      expect(inFlight).toBe(0);
    }),
  );
});

test("the caller's signal ends it with the signal's reason and aborts the work", async () => {
  const controller = new AbortController();
  const seen: unknown[] = [];
  const work = async (item: number, signal: AbortSignal) => {
    if (item === 3) controller.abort(new Error("stop"));
    await Promise.resolve();
    seen.push(signal.aborted);
  };
  await expect(lastValueFrom(pullInLanes(numbers(100), 2, work, controller.signal))).rejects.toThrow("stop");
  expect(seen.length).toBeLessThan(8);
  expect(seen.at(-1)).toBe(true);
});

test("unsubscribing stops the pulling", async () => {
  let pulled = 0;
  const source = numbers(1000, () => (pulled += 1));
  await firstValueFrom(pullInLanes(source, 2, async (item) => item, never));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(pulled).toBeLessThan(10);
});
