import { setTimeout as sleep } from "node:timers/promises";

import { assertRejectsWith, assertSame, outcomeOf } from "../assertions.ts";
import { keysOf, listed } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { SEVERAL_PIECES, textBytes } from "./store-under-test.ts";

export const aborting: readonly ObjectStoreCheck[] = [
  {
    name: "a call with an aborted signal rejects with its reason and does nothing",
    async run({ store }, signal) {
      const reason = new Error("enough");
      const aborted = { signal: AbortSignal.abort(reason) };
      await store.put("there", [textBytes("x")], { ifAbsent: true, signal });
      for (const ifAbsent of [true, false]) {
        const put = () => store.put("new", [textBytes("x")], { ...aborted, ifAbsent });
        await assertRejectsWith(put, reason, `put ifAbsent=${ifAbsent}`);
      }
      await assertRejectsWith(() => store.get("there", aborted), reason, "get");
      await assertRejectsWith(() => store.stat("there", aborted), reason, "stat");
      await assertRejectsWith(() => store.delete("there", aborted), reason, "delete");
      await assertRejectsWith(() => keysOf(store, "", aborted.signal), reason, "list");
      assertSame(await keysOf(store, "", signal), ["there"], "the listing afterwards");
    },
  },
  {
    name: "a put aborted at any moment has stored the whole object, or rejects with the reason and leaves nothing",
    async run({ store, runs }, signal) {
      const body = Buffer.alloc(SEVERAL_PIECES, "whole ");
      const startedAt = performance.now();
      await store.put("uncut", [body], { ifAbsent: true, signal });
      const wholeMs = performance.now() - startedAt;
      const rounds = Math.min(runs, 12);
      for (let round = 0; round < rounds; round += 1) {
        const key = `cut/${round}/object`;
        const reason = new Error(`enough of ${round}`);
        const controller = new AbortController();
        const options = { ifAbsent: true, signal: AbortSignal.any([signal, controller.signal]) };
        const putting = outcomeOf(() => store.put(key, [body], options));
        if (round > 0) await Promise.race([putting, sleep((wholeMs * round) / rounds)]);
        controller.abort(reason);
        const outcome = await putting;
        signal.throwIfAborted();
        const found = (await listed(store, `cut/${round}/`, signal)).map((info) => [info.key, info.bytes]);
        if ("error" in outcome) {
          await assertRejectsWith(() => Promise.reject(outcome.error), reason, `put cut off in round ${round}`);
          assertSame(found, [], "what a put that was cut off left");
        } else {
          assertSame(outcome.value, "stored", "a put that was not cut off in time");
          assertSame(found, [[key, body.length]], "what it stored");
        }
      }
    },
  },
];
