import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Semaphore } from "@ovault/contract";

const never = new AbortController().signal;

test("no more work runs than there are permits, in the order of asking, whatever is aborted while it waits", async () => {
  const jobs = fc.array(fc.record({ fails: fc.boolean(), aborted: fc.boolean() }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), jobs, fc.integer({ min: 1, max: 3 }), async (scheduler, all, permits) => {
      const semaphore = new Semaphore(permits);
      const started: number[] = [];
      let running = 0;
      let most = 0;
      const outcomes = all.map(async ({ fails, aborted }, number) => {
        const signal = aborted ? AbortSignal.abort(new Error("aborted")) : never;
        const work = async (): Promise<void> => {
          started.push(number);
          most = Math.max(most, (running += 1));
          await scheduler.schedule(Promise.resolve());
          running -= 1;
          if (fails) throw new Error("failed");
        };
        return await semaphore.run(work, signal).then(
          () => "done",
          (error: Error) => error.message,
        );
      });
      const ended = await scheduler.waitFor(Promise.all(outcomes));
      expect(ended).toEqual(all.map(({ fails, aborted }) => (aborted ? "aborted" : fails ? "failed" : "done")));
      expect(started).toEqual(started.toSorted((a, b) => a - b));
      expect(most).toBeLessThanOrEqual(permits);
    }),
  );
});

test("an abort while it waits gives up its place, and holds nothing", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire(never);
  const controller = new AbortController();
  const waiting = semaphore.acquire(controller.signal);
  const next = semaphore.acquire(never);
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  semaphore.release();
  await next;
  expect(semaphore.contended).toBe(false);
});

test("scarcity asks idle holders for their permits, until one gives", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire(never);
  const asked: string[] = [];
  const stop = semaphore.onScarcity(() => asked.push("gone") > 0);
  stop();
  semaphore.onScarcity(() => asked.push("busy") < 0);
  semaphore.onScarcity(() => {
    asked.push("idle");
    semaphore.release();
    return true;
  });
  semaphore.onScarcity(() => asked.push("not asked") > 0);
  await semaphore.acquire(never);
  expect(asked).toEqual(["busy", "idle"]);
});
