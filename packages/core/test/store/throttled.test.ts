import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { throttled } from "@ovault/core";
import { MemoryStore, ScheduledTime } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

import { watched } from "./support/watched.ts";

const { signal } = new AbortController();

/** What may be caught up after idling. */
const SAVED_MS = 1000;

interface Transfer {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly bytes: number;
}

const MOST_BYTES = 1000;
const rates = fc.integer({ min: 1000, max: 9000 });
/** Bytes of each call, and how long its caller idles before it. */
const lane = fc.array(fc.tuple(fc.nat(MOST_BYTES), fc.nat(3000)), { maxLength: 5 });
const lanes = fc.array(lane, { minLength: 1, maxLength: 4 });

/** Between any two moments, the calls that began and ended in between moved no more than the rate allows. */
function expectWithinRate(transfers: readonly Transfer[], bytesPerSecond: number): void {
  for (const { startedMs: from } of transfers) {
    for (const { endedMs: to } of transfers.filter(({ endedMs }) => endedMs >= from)) {
      const inside = transfers.filter(({ startedMs, endedMs }) => startedMs >= from && endedMs <= to);
      const bytes = inside.reduce((sum, transfer) => sum + transfer.bytes, 0);
      expect(bytes).toBeLessThanOrEqual((bytesPerSecond * (to - from + SAVED_MS)) / 1000 + 0.001);
    }
  }
  const total = transfers.reduce((sum, { bytes }) => sum + bytes, 0);
  const lastMs = Math.max(0, ...transfers.map(({ endedMs }) => endedMs));
  // Nothing was saved up before the first call.
  expect(total).toBeLessThanOrEqual((bytesPerSecond * lastMs) / 1000 + 0.001);
}

describe.each(["put", "get", "get a range of"] as const)("a throttled store asked to %s objects", (what) => {
  test("never beats its rate, whichever call wakes first", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), rates, lanes, async (scheduler, bytesPerSecond, plans) => {
        const clock = new ScheduledTime(scheduler).clock();
        const memory = new MemoryStore();
        for (const [bytes] of plans.flat()) memory.objects.set(`of-${bytes}`, new Uint8Array(bytes));
        memory.objects.set("large", new Uint8Array(MOST_BYTES));
        const limits = { uploadBytesPerSecond: bytesPerSecond, downloadBytesPerSecond: bytesPerSecond };
        const store = throttled(memory, limits, clock);
        const move = {
          put: (bytes: number) => store.put("a", [new Uint8Array(bytes)], { ifAbsent: false, signal }),
          get: (bytes: number) => store.get(`of-${bytes}`, { signal }),
          "get a range of": (bytes: number) => store.get("large", { range: { offset: 0, length: bytes }, signal }),
        }[what];
        const transfers: Transfer[] = [];
        const run = async (plan: readonly (readonly [number, number])[]): Promise<void> => {
          for (const [bytes, idleMs] of plan) {
            await clock.sleep(idleMs, signal);
            const startedMs = clock.elapsedMs();
            await move(bytes);
            transfers.push({ startedMs, endedMs: clock.elapsedMs(), bytes });
          }
        };
        await scheduler.waitFor(Promise.all(plans.map((plan) => run(plan))));
        expectWithinRate(transfers, bytesPerSecond);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a throttled store", () => {
  test("uses its rate to the full while there is something to move", async () => {
    await fc.assert(
      fc.asyncProperty(rates, lanes, async (uploadBytesPerSecond, plans) => {
        const clock = new SimulatedClock();
        const store = throttled(new MemoryStore(), { uploadBytesPerSecond }, clock);
        const puts = plans.map(async (plan) => {
          for (const [bytes] of plan) await store.put("a", [new Uint8Array(bytes)], { ifAbsent: false, signal });
        });
        await Promise.all(puts);
        const total = plans.flat().reduce((sum, [bytes]) => sum + bytes, 0);
        expect(clock.elapsedMs()).toBeCloseTo((total * 1000) / uploadBytesPerSecond, 3);
      }),
      { numRuns: 50 },
    );
  });

  test("lets a few bytes through while many wait", async () => {
    const clock = new SimulatedClock();
    const store = throttled(new MemoryStore(), { uploadBytesPerSecond: 1000 }, clock);
    const packs = ["a", "b", "c"].map((key) => store.put(key, [new Uint8Array(1e5)], { ifAbsent: true, signal }));
    await store.put("small", [new Uint8Array(10)], { ifAbsent: true, signal });
    expect(clock.elapsedMs()).toBeLessThanOrEqual(1000);
    await Promise.all(packs);
    expect(clock.elapsedMs()).toBeCloseTo(300_010, 3);
  });

  test("has one rate for each direction, and none where none is set", async () => {
    const clock = new SimulatedClock();
    const store = throttled(new MemoryStore(), { downloadBytesPerSecond: 100 }, clock);
    await store.put("a", [new Uint8Array(1e6)], { ifAbsent: true, signal });
    expect(clock.elapsedMs()).toBe(0);
    await store.get("a", { range: { offset: 0, length: 200 }, signal });
    expect(clock.elapsedMs()).toBeCloseTo(2000);
    await store.stat("a", { signal });
    await store.delete("a", { signal });
    expect(clock.elapsedMs()).toBeCloseTo(2000);
  });

  test("rejects a call that is aborted while it waits, and never makes it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9000 }), async (abortedAtMs) => {
        const clock = new SimulatedClock();
        const labels: string[] = [];
        const watching = watched(new MemoryStore(), (label, work) => {
          labels.push(label);
          return work();
        });
        const limits = { uploadBytesPerSecond: 100, downloadBytesPerSecond: 100 };
        const store = throttled(watching, limits, clock);
        const controller = new AbortController();
        const own = { signal: controller.signal };
        const refused = [
          store.put("a", [new Uint8Array(1000)], { ifAbsent: true, ...own }),
          store.get("b", { range: { offset: 0, length: 1000 }, ...own }),
        ].map((outcome) => expect(outcome).rejects.toThrow("enough"));
        await clock.sleep(abortedAtMs, signal);
        controller.abort(new Error("enough"));
        await Promise.all(refused);
        expect(labels).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
