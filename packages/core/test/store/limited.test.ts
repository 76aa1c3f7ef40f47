import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { limited } from "@ovault/core";
import { keysOf, listed, MemoryStore, ScheduledStore } from "@ovault/testkit";

import { watched } from "./support/watched.ts";

const { signal } = new AbortController();

/** Counts the calls that are under way. */
function counted(store: ObjectStore) {
  const seen = { now: 0, most: 0, labels: [] as string[] };
  const counting = watched(store, async (label, work) => {
    seen.labels.push(label);
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    try {
      return await work();
    } finally {
      seen.now -= 1;
    }
  });
  return { store: counting, seen };
}

type Call = (store: ObjectStore, own: AbortSignal) => Promise<unknown>;

const key = fc.constantFrom("a", "b", "c/d");
const call: fc.Arbitrary<Call> = fc.oneof(
  key.map(
    (k): Call =>
      (store, own) =>
        store.put(k, [Buffer.from(k)], { ifAbsent: true, signal: own }),
  ),
  key.map(
    (k): Call =>
      (store, own) =>
        store.get(k, { signal: own }),
  ),
  key.map(
    (k): Call =>
      (store, own) =>
        store.stat(k, { signal: own }),
  ),
  key.map(
    (k): Call =>
      (store, own) =>
        store.delete(k, { signal: own }),
  ),
  fc.constant<Call>((store, own) => listed(store, "", own)),
);

describe("a limited store", () => {
  test("never has more calls under way than it may, however they interleave, fail or are aborted", async () => {
    const calls = fc.array(fc.tuple(call, fc.boolean()), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, fc.integer({ min: 1, max: 4 }), async (scheduler, planned, width) => {
        const { store, seen } = counted(new ScheduledStore(new MemoryStore(), scheduler));
        const narrow = limited(store, width);
        const settled = planned.map(async ([make, isAborted]) => {
          const controller = new AbortController();
          const outcome = make(narrow, controller.signal).catch((error: unknown) => error);
          if (isAborted) {
            void scheduler.schedule(Promise.resolve(), "abort").then(() => controller.abort(new Error("enough")));
          }
          await outcome;
        });
        await scheduler.waitFor(Promise.all(settled));
        expect(seen.most).toBeLessThanOrEqual(width);
        expect(seen.now).toBe(0);
        // All slots are there again.
        await scheduler.waitFor(Promise.all(Array.from({ length: width }, () => keysOf(narrow))));
      }),
    );
  });

  test("serves calls in the order they came", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(key, { maxLength: 10 }), async (scheduler, keys) => {
        const { store, seen } = counted(new ScheduledStore(new MemoryStore(), scheduler));
        const narrow = limited(store, 1);
        await scheduler.waitFor(Promise.all(keys.map((k) => narrow.delete(k, { signal }))));
        expect(seen.labels).toEqual(keys.map((k) => `delete ${k}`));
      }),
    );
  });

  test("has a slot for calls made while a listing is read", async () => {
    const memory = new MemoryStore();
    for (let index = 0; index < 2500; index += 1) memory.objects.set(`many/${1e6 + index}`, new Uint8Array(1));
    const narrow = limited(memory, 1);
    const seen: string[] = [];
    for await (const info of narrow.list("many/", { signal })) {
      expect(await narrow.stat(info.key, { signal })).toEqual(info);
      seen.push(info.key);
    }
    expect(seen).toEqual([...memory.objects.keys()]);
  });

  test("gives the objects that came before a listing broke", async () => {
    const broken: ObjectStore = {
      ...limited(new MemoryStore(), 1),
      async *list() {
        yield { key: "a", bytes: 1 };
        throw new Error("broken");
      },
    };
    const narrow = limited(broken, 1);
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      for await (const info of narrow.list("", { signal })) seen.push(info.key);
    };
    await expect(read()).rejects.toThrow("broken");
    expect(seen).toEqual(["a"]);
    expect(await narrow.put("b", [], { ifAbsent: true, signal })).toBe("stored");
  });

  test("ends a listing that its reader leaves", async () => {
    let ended = false;
    const endless: ObjectStore = {
      ...limited(new MemoryStore(), 1),
      async *list() {
        try {
          for (let index = 0; ; index += 1) yield { key: `k${index}`, bytes: 1 };
        } finally {
          ended = true;
        }
      },
    };
    for await (const info of limited(endless, 1).list("", { signal })) if (info.key === "k3") break;
    expect(ended).toBe(true);
  });

  test("rejects a call that is aborted while it waits, and never makes it", async () => {
    const { store, seen } = counted(new MemoryStore());
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const slow: ObjectStore = { ...limited(store, 9), get: async () => (await held, new Uint8Array()) };
    const narrow = limited(slow, 1);
    const first = narrow.get("a", { signal });
    const controller = new AbortController();
    const waiting = [
      narrow.put("b", [], { ifAbsent: true, signal: controller.signal }),
      keysOf(narrow, "", controller.signal),
    ].map((outcome) => expect(outcome).rejects.toThrow("enough"));
    controller.abort(new Error("enough"));
    await Promise.all(waiting);
    release();
    await first;
    expect(seen.labels).toEqual([]);
    expect(await keysOf(narrow)).toEqual([]);
  });
});
