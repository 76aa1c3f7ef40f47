import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { type ObjectStore, retrying, StoreError, StoreUnavailableError } from "@ovault/core";
import { keysOf, MemoryStore } from "@ovault/testkit";

import { SimulatedClock } from "./support/simulated-clock.ts";
import { watched } from "./support/watched.ts";

const { signal } = new AbortController();
const atOnce = { attempts: 3, firstDelayMs: 0 };

/** Fails transiently wherever the plan says so, in the order of calls; a call may take effect and still fail. */
function flaky(store: ObjectStore, plan: readonly ("well" | "before" | "after")[]): ObjectStore {
  let calls = 0;
  return watched(store, async (label, work) => {
    const fate = plan[calls++] ?? "well";
    if (fate === "before") throw unavailable(label);
    const answer = await work();
    if (fate === "after") throw unavailable(label);
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

/** Never more than two faults in a row, which three attempts get over. */
const survivable = fc
  .array(fc.array(fc.constantFrom("before" as const, "after" as const), { maxLength: 2 }), { maxLength: 30 })
  .map((faults) => faults.flatMap((few) => [...few, "well" as const]));

describe("a retrying store", () => {
  test("answers as if nothing had failed, as long as not every attempt of a call does", async () => {
    await fc.assert(
      fc.asyncProperty(survivable, fc.uint8Array(), async (plan, bytes) => {
        const memory = new MemoryStore();
        const store = retrying(flaky(memory, plan), atOnce);
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
        // None of the breaks may come further than the one before.
        const patient = { attempts: breaks.length + 1, firstDelayMs: 0 };
        expect(await keysOf(retrying(store, patient))).toEqual(unsorted.toSorted());
      }),
    );
  });

  test("takes a listing that came further for one that has not failed yet", async () => {
    const keys = ["a", "b", "c", "d", "e"];
    const plan = keys.flatMap((_, seen) => [...keys.slice(0, seen + 1).map(() => "well" as const), "before" as const]);
    expect(await keysOf(retrying(flaky(await filled(keys), plan), { attempts: 2, firstDelayMs: 0 }))).toEqual(keys);
  });

  test("gives up after as many calls as it may make, with the last error", async () => {
    let calls = 0;
    const store = watched(new MemoryStore(), (label) => {
      calls += 1;
      return Promise.reject(unavailable(`${label}, call ${calls}`));
    });
    await expect(retrying(store, atOnce).get("a", { signal })).rejects.toThrow("planned fault of get a, call 3");
    await expect(keysOf(retrying(store, atOnce))).rejects.toThrow("call 6");
  });

  test("does not repeat what has no chance", async () => {
    let calls = 0;
    const store = watched(new MemoryStore(), () => {
      calls += 1;
      return Promise.reject(new StoreError("never"));
    });
    await expect(retrying(store, atOnce).stat("a", { signal })).rejects.toThrow("never");
    await expect(keysOf(retrying(store, atOnce))).rejects.toThrow("never");
    expect(calls).toBe(2);
  });

  test("never pauses longer than twice as long as before", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 500 }),
        async (attempts, firstDelayMs) => {
          const clock = new SimulatedClock();
          const moments: number[] = [];
          const store = watched(new MemoryStore(), (label) => {
            moments.push(clock.elapsedMs());
            return Promise.reject(unavailable(label));
          });
          await expect(retrying(store, { attempts, firstDelayMs }, clock).get("a", { signal })).rejects.toThrow(
            "planned",
          );
          expect(moments.length).toBe(attempts);
          const pauses = moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0));
          for (const [index, pause] of pauses.entries()) expect(pause).toBeLessThanOrEqual(firstDelayMs * 2 ** index);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("stops pausing when it is aborted, and calls no more", async () => {
    const controller = new AbortController();
    let calls = 0;
    const store = watched(new MemoryStore(), (label) => {
      calls += 1;
      setImmediate(() => controller.abort(new Error("enough")));
      return Promise.reject(unavailable(label));
    });
    const retried = retrying(store, { attempts: 3, firstDelayMs: 1e9 });
    await expect(retried.get("a", { signal: controller.signal })).rejects.toThrow("enough");
    expect(calls).toBe(1);
  });
});
