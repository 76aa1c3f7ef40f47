import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import { CallStatistics, logged, timed } from "@ovault/core";
import { HoldingStore, keysOf, MemoryStore } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

import type { StoreCallReport } from "../../src/store/timed.ts";

import { watched } from "./support/watched.ts";

const { signal } = new AbortController();

/** A store whose calls take so long on the clock. */
function slow(store: ObjectStore, clock: SimulatedClock, ms: number): ObjectStore {
  return watched(store, async (_, work) => {
    await clock.sleep(ms, signal);
    return await work();
  });
}

describe("a timed store", () => {
  test("reports each call once, with what it moved and how long it took", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array(), { minLength: 1, maxLength: 5 }), fc.nat(1000), async (parts, ms) => {
        const clock = new SimulatedClock();
        const reports: StoreCallReport[] = [];
        const store = timed(slow(new MemoryStore(), clock, ms), (report) => reports.push(report), clock);
        await store.put("a", parts, { ifAbsent: true, signal });
        await store.put("a", parts, { ifAbsent: true, signal });
        const { byteLength: bytes } = await store.get("a", { signal });
        await store.stat("a", { signal });
        await store.delete("a", { signal });
        await expect(store.get("a", { signal })).rejects.toThrow("no object");
        const call = { key: "a", ms: expect.closeTo(ms), bytes: 0, outcome: "done", failed: false };
        expect(reports).toEqual([
          { ...call, kind: "put", bytes },
          { ...call, kind: "put", outcome: "exists" },
          { ...call, kind: "get", bytes },
          { ...call, kind: "stat" },
          { ...call, kind: "delete" },
          { ...call, kind: "get", outcome: "E_OBJECT_NOT_FOUND", failed: true },
        ]);
      }),
      { numRuns: 20 },
    );
  });

  test("reports a listing when its reader is done with it, without the reader's own time", async () => {
    const clock = new SimulatedClock();
    const memory = new MemoryStore();
    for (const key of ["a", "b", "c"]) memory.objects.set(key, new Uint8Array());
    const reports: StoreCallReport[] = [];
    const store = timed(slow(memory, clock, 10), (report) => reports.push(report), clock);
    for await (const { key } of store.list("", { signal })) {
      await clock.sleep(1000, signal);
      if (key === "b") break;
    }
    expect(reports).toEqual([
      { kind: "list", key: "", ms: expect.closeTo(20), bytes: 0, outcome: "done", failed: false },
    ]);
  });

  test("reports a listing that breaks", async () => {
    const reports: StoreCallReport[] = [];
    const broken = watched(new MemoryStore(), () => Promise.reject(new TypeError("not ours")));
    await expect(keysOf(timed(broken, (report) => reports.push(report)))).rejects.toThrow("not ours");
    expect(reports).toMatchObject([{ kind: "list", outcome: "TypeError", failed: true }]);
  });

  test("reports what is held, too", async () => {
    const reports: StoreCallReport[] = [];
    const store = timed(new HoldingStore(), (report) => reports.push(report));
    await store.put("a", [], { ifAbsent: true, signal });
    await store.retention?.extend("a", new Date(), { signal });
    await store.retention?.heldUntil("a", { signal });
    expect(reports.map(({ kind }) => kind)).toEqual(["put", "extend", "heldUntil"]);
  });
});

describe("a logged store", () => {
  test("writes one line a call, with nothing of the content or of errors", async () => {
    const lines: string[] = [];
    const secret = "the content is secret";
    const failing = watched(new MemoryStore(), async (label, work) => {
      if (label === "stat a") throw new StoreUnavailableError(secret);
      return await work();
    });
    const store = logged(failing, (line) => lines.push(line));
    await store.put("a", [Buffer.from(secret)], { ifAbsent: true, signal });
    await store.get("a", { signal });
    await keysOf(store, "packs/");
    await expect(store.stat("a", { signal })).rejects.toThrow(secret);
    expect(lines.map((line) => line.replace(/[\d.]+ ms/, "T ms"))).toEqual([
      "put a 21 bytes T ms done",
      "get a 21 bytes T ms done",
      "list packs/ 0 bytes T ms done",
      "stat a 0 bytes T ms E_STORE_UNAVAILABLE",
    ]);
    expect(lines.join("\n")).not.toContain("secret");
  });
});

describe("call statistics", () => {
  const report: StoreCallReport = { kind: "get", key: "a", ms: 0, bytes: 0, outcome: "done", failed: false };

  test("count, and know the times to within one percent", () => {
    const times = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(times, fc.nat(1e6), (milliseconds, bytes) => {
        const statistics = new CallStatistics();
        for (const ms of milliseconds) statistics.add({ ...report, ms, bytes });
        const [summary] = statistics.summary();
        const sorted = milliseconds.toSorted((a, b) => a - b);
        const count = sorted.length;
        const at = (place: number): number => sorted[Math.min(Math.max(0, place), count - 1)] ?? 0;
        expect(summary).toMatchObject({ kind: "get", count, failed: 0, bytes: bytes * count });
        for (const [found = 0, share] of [
          [summary?.p50Ms, 0.5],
          [summary?.p95Ms, 0.95],
          [summary?.maxMs, 1],
        ] as const) {
          // Where half of an odd number ends is a matter of taste.
          expect(found).toBeGreaterThanOrEqual(at(Math.floor(count * share) - 1) * 0.99 - 0.001);
          expect(found).toBeLessThanOrEqual(at(Math.ceil(count * share)) * 1.01 + 0.001);
        }
      }),
    );
  });

  test("keep kinds of calls and failures apart", () => {
    const statistics = new CallStatistics();
    statistics.add({ ...report, kind: "put", bytes: 5 });
    statistics.add({ ...report, kind: "put", failed: true });
    statistics.add(report);
    expect(statistics.summary()).toMatchObject([
      { kind: "put", count: 2, failed: 1, bytes: 5 },
      { kind: "get", count: 1, failed: 0, bytes: 0 },
    ]);
    expect(new CallStatistics().summary()).toEqual([]);
  });
});
