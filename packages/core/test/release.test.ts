import { expect, test } from "vitest";

import { release } from "../src/util/release.ts";

test("bytes that have a buffer of their own are empty afterwards", () => {
  for (const bytes of [new Uint8Array(1 << 20), Buffer.alloc(1 << 20), Buffer.allocUnsafeSlow(1)]) {
    const { buffer } = bytes;
    release(bytes);
    expect([bytes.byteLength, buffer.byteLength]).toEqual([0, 0]);
    release(bytes);
  }
});

test("part of a larger buffer, memory that is shared, and nothing at all are left alone", () => {
  const whole = Uint8Array.from([1, 2, 3]);
  release(whole.subarray(1));
  release(whole.subarray(0, 0));
  expect(whole).toEqual(Uint8Array.from([1, 2, 3]));
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  release(shared);
  expect(shared.byteLength).toBe(3);
  release(new Uint8Array());
});
