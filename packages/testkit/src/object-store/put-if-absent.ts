import { randomFillSync } from "node:crypto";

import type { ObjectStore } from "@ovault/contract";

import { assertSame, assertSameBytes } from "../assertions.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { SEVERAL_PIECES, type StoreUnderTest, textBytes } from "./store-under-test.ts";

const WRITERS = 8;

export const putIfAbsent: readonly ObjectStoreCheck[] = [
  {
    name: "put-if-absent leaves what is there as it is",
    async run({ store }, signal) {
      for (const bytes of [5, SEVERAL_PIECES]) {
        const key = `there/${bytes}`;
        const first = randomFillSync(Buffer.alloc(bytes));
        assertSame(await store.put(key, [first], { ifAbsent: true, signal }), "stored", "the first put");
        assertSame(await store.put(key, [textBytes("other")], { ifAbsent: true, signal }), "exists", "a second put");
        const large = new Uint8Array(SEVERAL_PIECES);
        assertSame(await store.put(key, [large], { ifAbsent: true, signal }), "exists", "a put of many bytes");
        assertSameBytes(await store.get(key, { signal }), first, "the object");
      }
    },
  },
  {
    name: "put-if-absent has exactly one winner among many, and keeps the winner's bytes",
    skipReason: withoutConditionalPut,
    async run({ store, runs }, signal) {
      for (let round = 0; round < runs; round += 1) await race(Array(WRITERS).fill(store), `race/${round}`, 9, signal);
    },
  },
  {
    name: "put-if-absent has exactly one winner among two clients",
    skipReason: (subject) => withoutConditionalPut(subject) ?? withoutSecondClient(subject),
    async run({ store, second = store, runs }, signal) {
      const writers = Array.from({ length: WRITERS }, (_, i) => (i % 2 === 0 ? store : second));
      for (let round = 0; round < runs; round += 1) await race(writers, `race/${round}`, 9, signal);
    },
  },
  {
    name: "put-if-absent has exactly one winner when objects are large",
    skipReason: withoutConditionalPut,
    async run({ store, second = store }, signal) {
      for (const round of [1, 2]) await race([store, second], `race/${round}`, SEVERAL_PIECES, signal);
    },
  },
];

/** Why a check of races does not apply; undefined if it does. */
function withoutConditionalPut({ store }: StoreUnderTest): string | undefined {
  return store.capabilities.conditionalPut ? undefined : "the store does not promise conditionalPut";
}

/** Why a check with two clients does not apply; undefined if it does. */
export function withoutSecondClient({ second }: StoreUnderTest): string | undefined {
  return second === undefined ? "there is no second client" : undefined;
}

async function race(writers: readonly ObjectStore[], key: string, bytes: number, signal: AbortSignal): Promise<void> {
  const bodies = writers.map((_, i) => Buffer.alloc(bytes, `writer ${i}.`));
  const puts = writers.map((store, i) => store.put(key, [bodies[i] ?? Buffer.alloc(0)], { ifAbsent: true, signal }));
  // All must settle before the test cleans up.
  await Promise.allSettled(puts);
  const answers = await Promise.all(puts);
  assertSame(answers.filter((answer) => answer === "stored").length, 1, `winners among ${writers.length} of ${key}`);
  const winner = bodies[answers.indexOf("stored")] ?? Buffer.alloc(0);
  for (const store of new Set(writers)) assertSameBytes(await store.get(key, { signal }), winner, `${key} afterwards`);
}
