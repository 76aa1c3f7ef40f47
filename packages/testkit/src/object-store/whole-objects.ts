import { randomFillSync } from "node:crypto";

import * as fc from "fast-check";

import { inLanes } from "@ovault/contract";

import { assertProperty } from "../assert-property.ts";
import { assertSame, assertSameBytes } from "../assertions.ts";
import { below } from "../stores/below.ts";
import { keysOf } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { storeCommands } from "./store-commands.ts";
import { LANES, LARGEST_OBJECT, textBytes } from "./store-under-test.ts";

export const wholeObjects: readonly ObjectStoreCheck[] = [
  {
    name: "it behaves like a map from keys to bytes",
    async run({ store, runs }, signal) {
      let walk = 0;
      const property = fc.asyncProperty(storeCommands(signal), async (commands) => {
        const real = below(store, `walk-${walk++}/`);
        await fc.asyncModelRun(() => ({ model: new Map<string, Uint8Array>(), real }), commands);
      });
      await assertProperty(property, runs, signal);
    },
  },
  {
    name: "a put joins its parts, whatever their number and size",
    async run({ store, runs }, signal) {
      const few = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 });
      // More buffers than a kernel writes in one call (1024).
      const many = Array.from({ length: 1100 }, (_, i) => Buffer.alloc(i % 5, i));
      const property = fc.asyncProperty(few, async (parts) => {
        for (const joined of [parts, [...parts, ...many]]) {
          await store.put("joined", joined, { ifAbsent: false, signal });
          assertSameBytes(await store.get("joined", { signal }), Buffer.concat(joined), "the joined parts");
        }
      });
      await assertProperty(property, runs, signal);
    },
  },
  {
    name: "an empty object is an object",
    async run({ store }, signal) {
      for (const [key, parts] of [
        ["none", []],
        ["empty", [new Uint8Array(), new Uint8Array()]],
      ] as const) {
        assertSame(await store.put(key, parts, { ifAbsent: true, signal }), "stored", `put of ${key}`);
        assertSame(
          await store.put(key, [textBytes("x")], { ifAbsent: true, signal }),
          "exists",
          `second put of ${key}`,
        );
        assertSameBytes(await store.get(key, { signal }), new Uint8Array(), `get ${key}`);
        assertSame((await store.stat(key, { signal })).bytes, 0, `bytes of ${key}`);
      }
      assertSame(await keysOf(store, "", signal), ["empty", "none"], "the listing");
    },
  },
  {
    name: "an object of 128 MiB comes back as it was, whole and in ranges",
    async run({ store }, signal) {
      const whole = randomFillSync(Buffer.alloc(LARGEST_OBJECT));
      const parts = slices(whole, [5, 8 << 20, (16 << 20) + 1, 24 << 20, 100 << 20, LARGEST_OBJECT]);
      assertSame(await store.put("large", parts, { ifAbsent: true, signal }), "stored", "the put");
      assertSame((await store.stat("large", { signal })).bytes, LARGEST_OBJECT, "its bytes");
      assertSameBytes(await store.get("large", { signal }), whole, "the whole");
      for (const [offset, end] of [
        [0, 1],
        [(8 << 20) - 3, (8 << 20) + 3],
        [5_000_001, 15_000_002],
        [LARGEST_OBJECT - 7, LARGEST_OBJECT],
      ] as const) {
        const found = await store.get("large", { range: { offset, length: end - offset }, signal });
        assertSameBytes(found, whole.subarray(offset, end), `the range from ${offset} to ${end}`);
      }
    },
  },
  {
    name: "bytes are copied: neither side sees what the other does with its buffers later",
    async run({ store }, signal) {
      const given = Buffer.from("given");
      await store.put("object", [given], { ifAbsent: true, signal });
      given.fill("x");
      const got = await store.get("object", { signal });
      assertSameBytes(got, textBytes("given"), "the object after the buffer of its put was used again");
      got.fill(0);
      assertSameBytes(
        await store.get("object", { signal }),
        textBytes("given"),
        "the object after a result was changed",
      );
    },
  },
  {
    name: "calls at the same time do not disturb each other",
    async run({ store }, signal) {
      const objects = Array.from({ length: 4 * LANES }, (_, i) => ({
        key: `at-once/${i % 3}/${i}`,
        body: randomFillSync(Buffer.alloc(1 + i * 4099)),
      }));
      await inLanes(objects, objects.length, async ({ key, body }) => {
        assertSame(await store.put(key, [body], { ifAbsent: true, signal }), "stored", `put ${key}`);
        assertSameBytes(await store.get(key, { signal }), body, `get ${key}`);
      });
      assertSame((await keysOf(store, "", signal)).length, objects.length, "objects listed");
    },
  },
];

function slices(whole: Uint8Array, ends: readonly number[]): Uint8Array[] {
  return ends.map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
}
