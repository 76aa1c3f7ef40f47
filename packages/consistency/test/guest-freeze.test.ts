import * as fc from "fast-check";
import { expect, test } from "vitest";

import { GuestFreeze } from "../src/guest-freeze.ts";
import { vm } from "./support/bench.ts";
import { type Freeze, Guest, hurried, type Thaw } from "./support/guest.ts";

const freezes = fc.constantFrom<Freeze>("ok", "refused", "lost", "late", "never");
const thaws = fc.array(fc.constantFrom<Thaw>("ok", "refused", "lost"), { maxLength: 4 });

test("whatever fails, hangs or is cancelled: what was begun to be frozen is thawed in the end", async () => {
  await fc.assert(
    fc.asyncProperty(freezes, thaws, fc.boolean(), async (freeze, script, cancel) => {
      const guest = new Guest(freeze, script);
      const frozen = new GuestFreeze({ quiescing: guest, vm, freezeMs: 5, thawMs: 60_000, clock: hurried() });
      const cancelling = new AbortController();
      const stuck: unknown[] = [];
      const freezing = frozen
        .freeze(cancelling.signal, (error) => void stuck.push(error))
        .then(
          () => true,
          () => false,
        );
      if (cancel) cancelling.abort(new Error("cancelled"));
      const isFrozen = await freezing;
      expect(guest.frozen).toBe(isFrozen);
      if (isFrozen) await frozen.thaw();
      expect(guest.history[0]).toBe("freeze");
      expect(guest.thaws).toBeGreaterThan(0);
      expect(guest.history.at(-1)).toBe("thaw");
      expect(guest.frozen).toBe(false);
      expect(stuck).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("a guest that never thaws is reported after many attempts", async () => {
  const guest = new Guest("ok", Array<Thaw>(1_000).fill("refused"));
  const frozen = new GuestFreeze({ quiescing: guest, vm, freezeMs: 60_000, thawMs: 300_000, clock: hurried() });
  await frozen.freeze(new AbortController().signal, () => undefined);
  await expect(frozen.thaw()).rejects.toThrow("busy");
  expect(guest.thaws).toBeGreaterThan(20);
  expect(guest.thaws).toBeLessThan(100);
});

test("a guest that refused to thaw may have thawed before; one whose answer was lost was frozen until then", async () => {
  const ends: string[] = [];
  for (const script of [[], ["lost"], ["refused"]] as const) {
    const guest = new Guest("ok", script);
    const frozen = new GuestFreeze({ quiescing: guest, vm, freezeMs: 60_000, thawMs: 60_000, clock: hurried() });
    await frozen.freeze(new AbortController().signal, () => undefined);
    ends.push(await frozen.thaw());
  }
  expect(ends).toEqual(["was frozen", "was frozen", "unknown"]);
});

test("a run that is cancelled already freezes nothing", async () => {
  const guest = new Guest("ok", []);
  const frozen = new GuestFreeze({ quiescing: guest, vm, freezeMs: 60_000, thawMs: 60_000, clock: hurried() });
  const cancelled = AbortSignal.abort(new Error("cancelled"));
  await expect(frozen.freeze(cancelled, () => undefined)).rejects.toThrow("cancelled");
  expect(guest.history).toEqual([]);
});
