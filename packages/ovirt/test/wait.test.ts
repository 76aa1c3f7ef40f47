import { CancelledError, DeadlineError } from "@ovault/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { arrived, pauseAfter, pending, waitFor } from "../src/engine/wait.ts";

const signal = new AbortController().signal;

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
    setImmediate(() => abort.abort());
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
