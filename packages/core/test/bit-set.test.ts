import * as fc from "fast-check";
import { expect, test } from "vitest";

import { BitSet } from "../src/util/bit-set.ts";

test("it behaves like a set of integers", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100_000), { maxLength: 200 }), fc.array(fc.nat(100_000)), (numbers, others) => {
      const bits = new BitSet();
      const model = new Set<number>();
      for (const number of numbers) {
        expect(bits.add(number)).toBe(!model.has(number));
        model.add(number);
      }
      for (const number of [...numbers, ...others]) expect(bits.has(number)).toBe(model.has(number));
    }),
  );
});
