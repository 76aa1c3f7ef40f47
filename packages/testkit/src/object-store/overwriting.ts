import { setImmediate as nextTurn } from "node:timers/promises";

import { assertSame, assertSameBytes } from "../assertions.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { textBytes } from "./store-under-test.ts";

/** Each of one value, so that a mixture shows; the sizes differ too. */
const BODIES = [Buffer.alloc(1_500_000, "a"), Buffer.alloc(700_001, "b"), Buffer.alloc(2_100_000, "c")];

export const overwriting: readonly ObjectStoreCheck[] = [
  {
    name: "a put without ifAbsent replaces the object",
    async run({ store }, signal) {
      for (const body of ["short", "much longer than before", ""]) {
        assertSame(await store.put("same", [textBytes(body)], { ifAbsent: false, signal }), "stored", "the put");
        assertSameBytes(await store.get("same", { signal }), textBytes(body), "the object");
        assertSame((await store.stat("same", { signal })).bytes, body.length, "its bytes");
      }
    },
  },
  {
    name: "a reader sees the old object or the new one, never a mixture",
    async run({ store, second = store, runs }, signal) {
      const put = (body: Uint8Array) => store.put("same", [body], { ifAbsent: false, signal });
      const [first = Buffer.alloc(0)] = BODIES;
      await put(first);
      const written = new AbortController();
      const write = async (): Promise<void> => {
        try {
          for (let round = 0; round < runs; round += 1) await put(BODIES[round % BODIES.length] ?? first);
        } finally {
          written.abort();
        }
      };
      const read = async (): Promise<void> => {
        while (!written.signal.aborted) {
          const seen = await second.get("same", { signal });
          const whole = BODIES.find((body) => body[0] === seen[0]);
          assertSameBytes(seen, whole ?? first, "an object that is being replaced");
          // A reader that never yields would starve the writer.
          await nextTurn();
        }
      };
      const settled = await Promise.allSettled([write(), read(), read()]);
      for (const result of settled) if (result.status === "rejected") throw result.reason;
    },
  },
];
