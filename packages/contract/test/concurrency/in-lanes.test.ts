import { expect, test } from "vitest";

import { inLanes, unlessAborted } from "@ovault/contract";

test("lanes do every item, and end the sequence they pull from when one fails", async () => {
  let ended = false;
  function* items(): Generator<number, void> {
    try {
      for (let item = 0; ; item += 1) yield item;
    } finally {
      ended = true;
    }
  }
  const seen: number[] = [];
  const work = async (item: number, signal: AbortSignal): Promise<void> => {
    await Promise.resolve();
    if (item === 5) throw new Error("planned");
    if (!signal.aborted) seen.push(item);
  };
  await expect(inLanes(items(), 3, work)).rejects.toThrow("planned");
  expect(ended).toBe(true);
  expect(seen.toSorted((a, b) => a - b)).toEqual(expect.arrayContaining([0, 1, 2, 3, 4]));
  expect(Math.max(...seen)).toBeLessThan(9);
});

test("an abort ends the wait with the signal's reason, before and while it waits", async () => {
  const work = new Promise<never>(() => undefined);
  const reason = new Error("enough");
  await expect(unlessAborted(work, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const waiting = unlessAborted(work, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(unlessAborted(Promise.resolve("done"), AbortSignal.abort(reason))).resolves.toBe("done");
});
