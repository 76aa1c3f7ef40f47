import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Body } from "../src/body.ts";

const signal = new AbortController().signal;
const parts = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });

test("a slice is what the same slice of all parts together would be, and shares their memory", async () => {
  await fc.assert(
    fc.asyncProperty(parts, fc.nat(350), fc.nat(350), async (given, offset, length) => {
      const whole = Buffer.concat(given);
      const slice = new Body(given).slice(offset, length);
      const expected = whole.subarray(offset, offset + length);
      expect(slice.bytes).toBe(expected.byteLength);
      expect(await slice.sha256(signal)).toBe(createHash("sha256").update(expected).digest("base64"));
      for (const part of given) part.fill(0);
      expect(expected.byteLength === 0 || (await buffer(slice.stream())).every((byte) => byte === 0)).toBe(true);
    }),
  );
});

test("it is sent when the last byte is out, not before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 4 }), async (sizes) => {
      const body = new Body(sizes.map((size) => Buffer.alloc(size)));
      let seen = 0;
      for await (const chunk of body.stream()) {
        if (!(chunk instanceof Uint8Array)) throw new Error("not bytes");
        seen += chunk.byteLength;
        expect(body.isSent || seen < body.bytes).toBe(true);
      }
      expect(seen).toBe(body.bytes);
      expect(body.isSent).toBe(true);
    }),
  );
});

test("digesting large bodies leaves the event loop to others, and ends when it is aborted", async () => {
  const body = new Body([Buffer.alloc(20 * 1024 * 1024)]);
  let turns = 0;
  let done = false;
  const turn = (): void => {
    turns += 1;
    if (!done) setImmediate(turn);
  };
  turn();
  await body.sha256(signal);
  done = true;
  expect(turns).toBeGreaterThan(10);
  const reason = new Error("enough");
  await expect(body.sha256(AbortSignal.abort(reason))).rejects.toBe(reason);
});
