import * as fc from "fast-check";
import { expect, test } from "vitest";

import { copyInto } from "@ovault/contract";

test("bytes go where they belong, in memory of any kind and place, and nothing else changes", () => {
  const place = fc.record({ before: fc.nat({ max: 17 }), offset: fc.nat({ max: 33 }), after: fc.nat({ max: 9 }) });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      place,
      fc.boolean(),
      (content, { before, offset, after }, shared) => {
        const bytes = offset + content.byteLength + after;
        const memory = shared ? new SharedArrayBuffer(before + bytes + 5) : new ArrayBuffer(before + bytes + 5);
        const all = new Uint8Array(memory).fill(0xee);
        copyInto(all.subarray(before, before + bytes), content, offset);
        const expected = new Uint8Array(before + bytes + 5).fill(0xee);
        expected.set(content, before + offset);
        expect(Buffer.compare(all, expected)).toBe(0);
      },
    ),
  );
});

test("what does not fit is refused, as `set` refuses it", () => {
  const target = new Uint8Array(8);
  expect(() => copyInto(target, new Uint8Array(9).fill(1))).toThrow(RangeError);
  expect(() => copyInto(target, new Uint8Array(4).fill(1), 5)).toThrow(RangeError);
  expect(target.every((byte) => byte === 0)).toBe(true);
});
