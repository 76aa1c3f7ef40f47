import { CancelledError, DeadlineError, Semaphore } from "@ovault/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { arrived, pauseAfter, pending, waitFor } from "../src/engine/wait.ts";

const signal = new AbortController().signal;
const never = async () => pending("locked");

test("waiting ends with the value that was waited for", async () => {
  let looks = 0;
  const poll = () => Promise.resolve((looks += 1) < 4 ? pending("starting") : arrived("ready"));
  await expect(waitFor("the backup", poll, { deadlineMs: 60_000, pollMs: 1, signal })).resolves.toBe("ready");
  expect(looks).toBe(4);
});

test("a deadline names what was waited for and its last state", async () => {
  const waiting = waitFor("disk web01 to unlock", () => Promise.resolve(pending("locked")), {
    deadlineMs: 5,
    pollMs: 1,
    signal,
  });
  await expect(waiting).rejects.toThrow(DeadlineError);
  await expect(waiting).rejects.toThrow(/disk web01 to unlock; last state: locked/);
});

test("even a deadline of nothing allows one look", async () => {
  await expect(waitFor("it", async () => arrived(1), { deadlineMs: 0, pollMs: 1, signal })).resolves.toBe(1);
});

test("an abort ends the wait, not the next look", async () => {
  const abort = new AbortController();
  const poll = () => {
    setImmediate(() => abort.abort(new CancelledError("enough")));
    return Promise.resolve(pending("locked"));
  };
  const waiting = waitFor("it", poll, { deadlineMs: 600_000, pollMs: 60_000, signal: abort.signal });
  await expect(waiting).rejects.toThrow(CancelledError);
});

test("an error while looking ends the wait", async () => {
  const waiting = waitFor("it", () => Promise.reject(new RangeError("gone")), {
    deadlineMs: 60_000,
    pollMs: 1,
    signal,
  });
  await expect(waiting).rejects.toThrow(RangeError);
});

test("what was just asked for is not looked at before a pause", async () => {
  const abort = new AbortController();
  abort.abort(new CancelledError("enough"));
  let looks = 0;
  const poll = async () => arrived((looks += 1));
  const options = { deadlineMs: 60_000, pollMs: 1, signal: abort.signal };
  await expect(waitFor("it", poll, { ...options, justAsked: true })).rejects.toThrow(CancelledError);
  expect(looks).toBe(0);
  await expect(waitFor("it", poll, { ...options, signal, justAsked: true })).resolves.toBe(1);
});

test("waits that take turns look one after the other, each until it is done or fails", async () => {
  const waits = fc.record({ looks: fc.integer({ min: 1, max: 4 }), fails: fc.boolean(), justAsked: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(waits, { maxLength: 6 }), async (all) => {
      const turn = new Semaphore(1);
      const seen: number[] = [];
      const ended = await Promise.allSettled(
        all.map(({ looks, fails, justAsked }, index) => {
          let left = looks;
          const poll = async () => {
            seen.push(index);
            if ((left -= 1) > 0) return pending("on its way");
            if (fails) throw new RangeError("gone");
            return arrived(index);
          };
          return waitFor("it", poll, { deadlineMs: 60_000, pollMs: 1, signal, justAsked, turn });
        }),
      );
      expect(ended.map(({ status }) => status)).toEqual(all.map(({ fails }) => (fails ? "rejected" : "fulfilled")));
      const turns = seen.filter((index, at) => index !== seen[at - 1]);
      expect(turns.toSorted()).toEqual(all.map((_, index) => index));
      expect(seen.length).toBe(all.reduce((sum, { looks }) => sum + looks, 0));
    }),
    { numRuns: 30 },
  );
});

test("a wait that gets no turn polls once after its deadline, and stops when aborted", async () => {
  const turn = new Semaphore(1);
  const abort = new AbortController();
  const first = waitFor("the first", never, { deadlineMs: 20, pollMs: 1, signal, turn });
  const second = waitFor("the second", never, { deadlineMs: 0, pollMs: 1, signal, turn });
  const third = waitFor("the third", never, { deadlineMs: 60_000, pollMs: 1, signal: abort.signal, turn });
  await expect(first).rejects.toThrow(/the first/);
  await expect(second).rejects.toThrow(/the second; last state: locked/);
  abort.abort(new CancelledError("enough"));
  await expect(third).rejects.toThrow(CancelledError);
});

test("pauses grow from a short one to the longest and stay there", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 60_000 }), (looks, pollMs) => {
      const pause = pauseAfter(looks, pollMs);
      expect(pause).toBeGreaterThan(0);
      expect(pause).toBeLessThanOrEqual(Math.min(pollMs, pauseAfter(looks + 1, pollMs)));
    }),
  );
  expect(pauseAfter(1, 1_500)).toBe(200);
  expect(pauseAfter(100_000, 1_500)).toBe(1_500);
});
