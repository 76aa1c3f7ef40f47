import { inLanes } from "@ovault/contract";

import { assertRejectsWith, assertSame } from "../assertions.ts";
import { keysOf } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { LANES, textBytes } from "./store-under-test.ts";

/** More than any service lists in one response (1000). */
const MANY = 1010;

export const listing: readonly ObjectStoreCheck[] = [
  {
    name: "keys come in ascending order of the whole key, below the prefix only",
    async run({ store }, signal) {
      const keys = ["a-b", "a.b", "a/b", "a/b-1", "a/c/d", "a0", "aa/a", "b", "b_0/a"];
      for (const key of keys.toReversed()) await store.put(key, [textBytes(key)], { ifAbsent: true, signal });
      assertSame(await keysOf(store, "", signal), keys, "all");
      assertSame(await keysOf(store, "a/", signal), ["a/b", "a/b-1", "a/c/d"], "below a/");
      assertSame(await keysOf(store, "a/c/", signal), ["a/c/d"], "below a/c/");
      assertSame(await keysOf(store, "nothing/", signal), [], "below nothing/");
    },
  },
  {
    name: `a listing of ${MANY} objects is complete and in order; it can be left, and ended by an abort`,
    async run({ store }, signal) {
      const keys = Array.from({ length: MANY }, (_, i) => `many/${i % 2}/${10_000 + i}`).toSorted();
      await inLanes(keys, LANES, (key) => store.put(key, [], { ifAbsent: true, signal }));
      assertSame(await keysOf(store, "", signal), keys, "all");
      assertSame(await keysOf(store, "many/1/", signal), keys.slice(MANY / 2), "below many/1/");

      const seen: string[] = [];
      for await (const { key } of store.list("many/", { signal })) {
        seen.push(key);
        if (seen.length === 3) break;
      }
      assertSame(seen, keys.slice(0, 3), "the first three");

      const controller = new AbortController();
      const abortEarly = async (): Promise<void> => {
        for await (const { key } of store.list("", { signal: AbortSignal.any([signal, controller.signal]) })) {
          if (key === keys[3]) controller.abort(reason);
        }
      };
      const reason = new Error("enough listed");
      await assertRejectsWith(abortEarly, reason, "a listing aborted at its fourth object");
      await inLanes(keys, LANES, (key) => store.delete(key, { signal }));
      assertSame(await keysOf(store, "", signal), [], "the listing after all were deleted");
    },
  },
];
