import { IntegrityError, ObjectNotFoundError } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { keysOf } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { textBytes } from "./store-under-test.ts";

export const reading: readonly ObjectStoreCheck[] = [
  {
    name: "a range that ends past the object is an integrity error, and its last byte is not",
    async run({ store }, signal) {
      await store.put("digits", [textBytes("0123456789")], { ifAbsent: true, signal });
      const range = (offset: number, length: number) => store.get("digits", { range: { offset, length }, signal });
      assertSameBytes(await range(0, 10), textBytes("0123456789"), "all of it");
      assertSameBytes(await range(9, 1), textBytes("9"), "the last byte");
      assertSameBytes(await range(4, 0), textBytes(""), "an empty range inside");
      assertSameBytes(await range(10, 0), textBytes(""), "an empty range at the end");
      for (const [offset, length] of [
        [9, 2],
        [0, 11],
        [10, 1],
        [11, 0],
        [11, 1],
        [1_000_000, 1_000_000],
      ] as const) {
        await assertRejects(() => range(offset, length), IntegrityError, `${length} bytes at ${offset} of 10`);
      }
    },
  },
  {
    name: "what is not there is not found, and deleting it is no error",
    async run({ store }, signal) {
      await store.put("a/b", [textBytes("x")], { ifAbsent: true, signal });
      for (const key of ["nothing", "no/such/folder", "a/c", "a/b/c", "a"]) {
        await assertRejects(() => store.get(key, { signal }), ObjectNotFoundError, `get ${key}`);
        const range = { offset: 0, length: 1 };
        await assertRejects(() => store.get(key, { range, signal }), ObjectNotFoundError, `get of a range of ${key}`);
        await assertRejects(() => store.stat(key, { signal }), ObjectNotFoundError, `stat ${key}`);
        await store.delete(key, { signal });
      }
      assertSame(await keysOf(store, "", signal), ["a/b"], "the listing");
    },
  },
  {
    name: "a deleted object is gone, and its key can be used again",
    async run({ store }, signal) {
      for (const body of ["first", "second"]) {
        const answer = await store.put("again", [textBytes(body)], { ifAbsent: true, signal });
        assertSame(answer, "stored", `put of ${body}`);
        assertSameBytes(await store.get("again", { signal }), textBytes(body), "the object");
        await store.delete("again", { signal });
        await store.delete("again", { signal });
        await assertRejects(() => store.get("again", { signal }), ObjectNotFoundError, "get after delete");
        assertSame(await keysOf(store, "", signal), [], "the listing after delete");
      }
    },
  },
];
