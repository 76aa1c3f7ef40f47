import { StoreError } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { keysOf } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { LONGEST_NAME, textBytes } from "./store-under-test.ts";

const BAD_KEYS = [
  "",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "../a",
  "a/../../b",
  "a/./b",
  "A",
  "ä",
  "a b",
  "a\\b",
  "a\0b",
  "a\nb",
  "~a",
  ".a",
  "a.",
  "a/.b",
  "x".repeat(LONGEST_NAME + 1),
];
const BAD_PREFIXES = ["a", "/", "../", "a//", "A/", "a/../"];

export const keys: readonly ObjectStoreCheck[] = [
  {
    name: "names of 200 bytes and the longest keys are kept",
    async run({ store, longestKey }, signal) {
      const wide = `${"x".repeat(LONGEST_NAME)}/${"y".repeat(LONGEST_NAME)}`;
      const long = keyOfLength(longestKey, LONGEST_NAME);
      const deep = keyOfLength(longestKey, 8);
      const all = [wide, long, deep].toSorted();
      for (const key of all) {
        assertSame(await store.put(key, [textBytes(key)], { ifAbsent: true, signal }), "stored", "the put");
      }
      assertSame(await keysOf(store, "", signal), all, "the listing");
      for (const key of all) {
        assertSameBytes(await store.get(key, { signal }), textBytes(key), "the object");
        await store.delete(key, { signal });
      }
      assertSame(await keysOf(store, "", signal), [], "the listing after delete");
    },
  },
  {
    name: "keys that are no keys are refused by every call",
    async run({ store, longestKey }, signal) {
      for (const key of [...BAD_KEYS, keyOfLength(longestKey + 1, LONGEST_NAME)]) {
        const shown = JSON.stringify(key.slice(0, 20));
        await assertRejects(() => store.put(key, [], { ifAbsent: false, signal }), StoreError, `put ${shown}`);
        await assertRejects(() => store.get(key, { signal }), StoreError, `get ${shown}`);
        await assertRejects(() => store.stat(key, { signal }), StoreError, `stat ${shown}`);
        await assertRejects(() => store.delete(key, { signal }), StoreError, `delete ${shown}`);
      }
      for (const prefix of BAD_PREFIXES) {
        await assertRejects(() => keysOf(store, prefix, signal), StoreError, `list ${JSON.stringify(prefix)}`);
      }
    },
  },
];

/** Many names of at most `nameBytes`, together exactly `bytes` long. */
function keyOfLength(bytes: number, nameBytes: number): string {
  const name = `${"k".repeat(nameBytes)}/`;
  const whole = name.repeat(Math.ceil(bytes / name.length));
  // A key must not end in "/".
  return whole[bytes - 1] === "/" ? `${whole.slice(0, bytes - 2)}-k`.slice(-bytes) : whole.slice(0, bytes);
}
