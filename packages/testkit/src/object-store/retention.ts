import { ObjectNotFoundError, type RetentionControl } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { type StoreUnderTest, textBytes } from "./store-under-test.ts";

/** Short, so that held objects do not pile up in a store in use; far longer than the check takes. */
const HOLD_MS = 30_000;

export const retention: readonly ObjectStoreCheck[] = [
  {
    name: "objects are held at least as long as was asked, and never less than before",
    skipReason: ({ store }) => (store.retention === undefined ? "the store cannot hold objects" : undefined),
    async run(subject, signal) {
      const control = controlOf(subject);
      const { store } = subject;
      const [soon, later] = [HOLD_MS, 2 * HOLD_MS].map((ms) => new Date(Date.now() + ms));
      if (soon === undefined || later === undefined) return;
      await store.put("held", [textBytes("x")], { ifAbsent: true, retainUntil: soon, signal });
      await assertHeld(control, "held", soon, signal);
      await control.extend("held", later, { signal });
      await assertHeld(control, "held", later, signal);
      await control.extend("held", soon, { signal });
      await assertHeld(control, "held", later, signal);
      assertSameBytes(await store.get("held", { signal }), textBytes("x"), "the object that is held");
      await store.put("free", [textBytes("x")], { ifAbsent: true, signal });
      await control.extend("free", soon, { signal });
      await assertHeld(control, "free", soon, signal);
    },
  },
  {
    name: "what is not there cannot be held",
    skipReason: ({ store }) => (store.retention === undefined ? "the store cannot hold objects" : undefined),
    async run(subject, signal) {
      const control = controlOf(subject);
      const until = new Date(Date.now() + HOLD_MS);
      await assertRejects(() => control.extend("nothing", until, { signal }), ObjectNotFoundError, "extend");
      await assertRejects(() => control.heldUntil("nothing", { signal }), ObjectNotFoundError, "heldUntil");
    },
  },
  {
    name: "a store that cannot hold objects ignores retainUntil",
    skipReason: ({ store }) => (store.retention === undefined ? undefined : "the store can hold objects"),
    async run({ store }, signal) {
      const retainUntil = new Date(Date.now() + HOLD_MS);
      const answer = await store.put("plain", [textBytes("x")], { ifAbsent: true, retainUntil, signal });
      assertSame(answer, "stored", "the put");
      await store.delete("plain", { signal });
      await assertRejects(() => store.stat("plain", { signal }), ObjectNotFoundError, "stat after delete");
    },
  },
];

function controlOf({ store }: StoreUnderTest): RetentionControl {
  if (store.retention === undefined) throw new Error("this check is for stores with retention");
  return store.retention;
}

async function assertHeld(control: RetentionControl, key: string, until: Date, signal: AbortSignal): Promise<void> {
  const held = await control.heldUntil(key, { signal });
  // Services store whole seconds.
  assertSame(
    held !== undefined && held.getTime() >= until.getTime() - 1000,
    true,
    `${key} is held, until ${held?.toISOString()}`,
  );
}
