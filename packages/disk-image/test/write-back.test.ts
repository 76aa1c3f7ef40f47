import { expect, test } from "vitest";

import { WriteBack } from "../src/write-back.ts";

const STEP_BYTES = 128 * 1024 * 1024;

/** Flushes that end on request. */
function held() {
  const ends: ((error?: Error) => void)[] = [];
  const flush = (): Promise<void> =>
    new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  return { ends, flush };
}

test("a flush begins when enough was written, one at a time, and the end waits for it", async () => {
  const { ends, flush } = held();
  const writeBack = new WriteBack(flush);
  await writeBack.note(STEP_BYTES - 1);
  expect(ends.length).toBe(0);
  await writeBack.note(1);
  await writeBack.note(3 * STEP_BYTES);
  expect(ends.length).toBe(1);
  let isSettled = false;
  const settled = writeBack.settle().then(() => (isSettled = true));
  await Promise.resolve();
  expect(isSettled).toBe(false);
  ends[0]?.();
  await settled;
  await writeBack.note(1);
  expect(ends.length).toBe(2);
});

test("a flush that failed fails every write after it, and the end, for the kernel tells of it once", async () => {
  const { ends, flush } = held();
  const writeBack = new WriteBack(flush);
  await writeBack.note(STEP_BYTES);
  ends[0]?.(new Error("EIO"));
  await expect(writeBack.settle()).rejects.toThrow("EIO");
  await expect(writeBack.note(1)).rejects.toThrow("EIO");
  await expect(writeBack.settle()).rejects.toThrow("EIO");
});
