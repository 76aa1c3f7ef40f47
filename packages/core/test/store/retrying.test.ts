import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { messageOf, type ObjectStore, StoreError, StoreMediumError, StoreUnavailableError } from "@ovault/contract";
import { Outage, retrying } from "@ovault/core";
import { keysOf, MemoryStore } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

import { watched } from "./support/watched.ts";

const { signal } = new AbortController();
const policy = { patienceMs: 60_000, firstDelayMs: 0 };

/** Fails transiently wherever the plan says so, in the order of calls; a call may take effect and still fail. */
function flaky(store: ObjectStore, plan: readonly ("well" | "before" | "after")[]): ObjectStore {
  let calls = 0;
  return watched(store, async (label, work) => {
    const outcome = plan[calls++] ?? "well";
    if (outcome === "before") throw unavailable(label);
    const answer = await work();
    if (outcome === "after") throw unavailable(label);
    return answer;
  });
}

function unavailable(label: string): StoreUnavailableError {
  return new StoreUnavailableError(`planned fault of ${label}`, { retry: "transient" });
}

async function filled(keys: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const key of keys) await store.put(key, [Buffer.from(key)], { ifAbsent: true, signal });
  return store;
}

const survivable = fc
  .array(fc.array(fc.constantFrom("before" as const, "after" as const), { maxLength: 2 }), { maxLength: 30 })
  .map((faults) => faults.flatMap((few) => [...few, "well" as const]));

describe("a retrying store", () => {
  test("answers as if nothing had failed, whichever calls fail", async () => {
    await fc.assert(
      fc.asyncProperty(survivable, fc.uint8Array(), async (plan, bytes) => {
        const memory = new MemoryStore();
        const store = retrying(flaky(memory, plan), { policy });
        expect(["stored", "exists"]).toContain(await store.put("a", [bytes], { ifAbsent: true, signal }));
        expect(Buffer.compare(await store.get("a", { signal }), bytes)).toBe(0);
        expect(await store.stat("a", { signal })).toEqual({ key: "a", bytes: bytes.byteLength });
        await store.delete("a", { signal });
        expect(memory.objects.size).toBe(0);
      }),
    );
  });

  test("lists every object once, in order, wherever the listing breaks and as often as it comes further", async () => {
    const keys = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(keys, fc.array(fc.nat(12), { maxLength: 12 }), async (unsorted, breaks) => {
        const memory = await filled(unsorted);
        let listings = 0;
        const store: ObjectStore = {
          ...retrying(memory),
          async *list(prefix, options) {
            let left = breaks[listings++] ?? Number.POSITIVE_INFINITY;
            for await (const info of memory.list(prefix, options)) {
              if (left-- === 0) throw unavailable("list");
              yield info;
            }
          },
        };
        expect(await keysOf(retrying(store, { policy }))).toEqual(unsorted.toSorted());
      }),
    );
  });

  test("gives a listing that came further its whole patience again", async () => {
    const clock = new SimulatedClock();
    const memory = await filled(["a", "b", "c", "d", "e"]);
    let asked = 0;
    // The listing breaks after each object, and each time for nine tenths of the patience.
    const store: ObjectStore = {
      ...retrying(memory),
      async *list(prefix, options) {
        let left = 1 + asked;
        const downUntil = asked * 54_000;
        if (clock.elapsedMs() < downUntil) throw unavailable("list");
        asked += 1;
        for await (const info of memory.list(prefix, options)) {
          if (left-- === 0) throw unavailable("list");
          yield info;
        }
      },
    };
    expect(await keysOf(retrying(store, { policy: { ...policy, firstDelayMs: 250 }, clock }))).toEqual(
      await keysOf(memory),
    );
    expect(clock.elapsedMs()).toBeGreaterThan(200_000);
  });

  test("does not repeat what has no chance", async () => {
    let calls = 0;
    const store = watched(new MemoryStore(), () => {
      calls += 1;
      return Promise.reject(new StoreError("never"));
    });
    await expect(retrying(store, { policy }).stat("a", { signal })).rejects.toThrow("never");
    await expect(keysOf(retrying(store, { policy }))).rejects.toThrow("never");
    expect(calls).toBe(2);
  });

  test("survives every outage that is shorter than its patience, and none that is longer", async () => {
    const patience = fc.integer({ min: 1000, max: 3_600_000 });
    await fc.assert(
      fc.asyncProperty(patience, fc.double({ min: 0, max: 2, noNaN: true }), async (patienceMs, share) => {
        const outageMs = patienceMs * share;
        const clock = new SimulatedClock();
        const store = watched(await filled(["a"]), async (label, work) => {
          if (clock.elapsedMs() < outageMs) throw unavailable(label);
          return await work();
        });
        const patient = retrying(store, { policy: { patienceMs, firstDelayMs: 250 }, clock });
        const outcomes = await Promise.allSettled([patient.get("a", { signal }), keysOf(patient)]);
        const expected = outageMs <= patienceMs ? "fulfilled" : "rejected";
        expect(outcomes.map(({ status }) => status)).toEqual([expected, expected]);
        expect(clock.elapsedMs()).toBeLessThanOrEqual(patienceMs + 1);
      }),
    );
  });

  test("never pauses longer than twice as long as before, nor than ten seconds", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1000, max: 600_000 }),
        fc.integer({ min: 1, max: 500 }),
        async (patienceMs, firstDelayMs) => {
          const clock = new SimulatedClock();
          const moments: number[] = [];
          const store = watched(new MemoryStore(), (label) => {
            moments.push(clock.elapsedMs());
            return Promise.reject(unavailable(label));
          });
          const patient = retrying(store, { policy: { patienceMs, firstDelayMs }, clock });
          await expect(patient.get("a", { signal })).rejects.toThrow("planned");
          // The last call comes when the patience is over.
          expect(moments.at(-1)).toBeCloseTo(patienceMs, 3);
          const pauses = moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0));
          for (const [index, pause] of pauses.entries()) {
            expect(pause).toBeLessThanOrEqual(Math.min(firstDelayMs * 2 ** index, 10_000) + 0.001);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test("repeats for seconds only what a store's medium cannot do", async () => {
    const clock = new SimulatedClock();
    const store = watched(new MemoryStore(), () => Promise.reject(new StoreMediumError("bad", { retry: "transient" })));
    await expect(retrying(store, { clock }).get("a", { signal })).rejects.toThrow("bad");
    expect(clock.elapsedMs()).toBeGreaterThan(1000);
    expect(clock.elapsedMs()).toBeLessThan(30_000);
  });

  test("reports an outage once when it begins and once when every call has gone on, however many there are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 500_000 }),
        async (calls, outageMs) => {
          const clock = new SimulatedClock();
          const store = watched(await filled(["a"]), async (label, work) => {
            if (clock.elapsedMs() < outageMs) throw unavailable(label);
            return await work();
          });
          const reports: (number | string)[] = [];
          const outage = new Outage(
            {
              begins: (error, patienceMs) => reports.push(`${messageOf(error)}, ${patienceMs}`),
              ends: (afterMs) => reports.push(afterMs),
            },
            clock,
          );
          const patient = retrying(store, { clock, outage });
          await Promise.all([keysOf(patient), ...Array.from({ length: calls }, () => patient.get("a", { signal }))]);
          expect(reports).toEqual(["planned fault of get a, 600000", clock.elapsedMs()]);
        },
      ),
    );
  });

  test("does not report that it goes on when the last call gave up", async () => {
    const clock = new SimulatedClock();
    const store = watched(new MemoryStore(), (label) => Promise.reject(unavailable(label)));
    const reports: string[] = [];
    const outage = new Outage({ begins: () => reports.push("begins"), ends: () => reports.push("ends") }, clock);
    const patient = retrying(store, { clock, outage });
    await expect(patient.get("a", { signal })).rejects.toThrow("planned");
    await expect(keysOf(patient)).rejects.toThrow("planned");
    expect(reports).toEqual(["begins", "begins"]);
  });

  test("stops pausing when it is aborted, and calls no more", async () => {
    const controller = new AbortController();
    let calls = 0;
    const store = watched(new MemoryStore(), (label) => {
      calls += 1;
      setImmediate(() => controller.abort(new Error("enough")));
      return Promise.reject(unavailable(label));
    });
    const retried = retrying(store, { policy: { patienceMs: 1e9, firstDelayMs: 1e9 } });
    await expect(retried.get("a", { signal: controller.signal })).rejects.toThrow("enough");
    expect(calls).toBe(1);
  });
});
