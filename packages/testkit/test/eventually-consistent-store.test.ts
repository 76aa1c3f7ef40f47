import * as fc from "fast-check";
import { expect, test } from "vitest";

import { hasCode } from "@ovault/contract";
import { EventuallyConsistentStore, keysOf } from "@ovault/testkit";

const { signal } = new AbortController();
const lags = fc.infiniteStream(fc.nat(6));
const next = (stream: fc.Stream<number>) => () => stream.next().value ?? 0;

/** Objects are versions of one key: a counter. */
const read = async (store: EventuallyConsistentStore): Promise<number> => {
  try {
    return Number(Buffer.from(await store.get("counter", { signal })).toString());
  } catch (error) {
    if (hasCode(error, "E_OBJECT_NOT_FOUND")) return -1;
    throw error;
  }
};

test("readers see a past that never runs backwards, and reach the present", async () => {
  await fc.assert(
    fc.asyncProperty(lags, lags, fc.array(fc.boolean(), { maxLength: 40 }), async (listings, reads, steps) => {
      const store = new EventuallyConsistentStore({ listings: next(listings), reads: next(reads) });
      let written = -1;
      const seen: number[] = [];
      for (const write of steps) {
        if (write) await store.put("counter", [Buffer.from(String(++written))], { ifAbsent: false, signal });
        else seen.push(await read(store));
      }
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      expect(seen.every((version) => version <= written)).toBe(true);
      for (let call = 0; call < 6; call += 1) await read(store);
      expect(await read(store)).toBe(written);
      expect(await keysOf(store)).toEqual(written < 0 ? [] : ["counter"]);
    }),
  );
});

test("put-if-absent sees objects that no reader sees yet", async () => {
  const store = new EventuallyConsistentStore({ listings: () => 100, reads: () => 100 });
  expect(await store.put("a", [Buffer.from("x")], { ifAbsent: true, signal })).toBe("stored");
  expect(await store.put("a", [Buffer.from("y")], { ifAbsent: true, signal })).toBe("exists");
  expect(await keysOf(store)).toEqual([]);
  await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
});
