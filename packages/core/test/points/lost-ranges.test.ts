import * as fc from "fast-check";
import { expect, test } from "vitest";

import { LostRanges } from "../../src/points/lost-ranges.ts";

const BLOCKS = 200;
const BLOCK = 10;

const blocks = fc.uniqueArray(fc.nat(BLOCKS - 1), { maxLength: BLOCKS });

function gather(numbers: readonly number[], most?: number): LostRanges {
  const lost = new LostRanges(most);
  for (const block of numbers) lost.add({ offset: block * BLOCK, length: BLOCK, reason: `block ${block}` });
  return lost;
}

test("neighbours become one range, in whatever order they come", () => {
  fc.assert(
    fc.property(blocks, (numbers) => {
      const { ranges, lostBytes } = gather(numbers);
      expect(lostBytes).toBe(numbers.length * BLOCK);
      const covered = ranges.flatMap(({ offset, length }) =>
        Array.from({ length: length / BLOCK }, (_, at) => offset / BLOCK + at),
      );
      expect(covered).toEqual(numbers.toSorted((a, b) => a - b));
      for (const [at, { offset }] of ranges.slice(1).entries()) {
        const before = ranges[at] ?? { offset: 0, length: 0 };
        expect(before.offset + before.length).toBeLessThan(offset);
      }
    }),
  );
});

test("however many there are, few are held, and everything lost is in one of them", () => {
  fc.assert(
    fc.property(blocks, fc.integer({ min: 1, max: 8 }), (numbers, most) => {
      const { ranges, lostBytes } = gather(numbers, most);
      expect(ranges.length).toBeLessThanOrEqual(most);
      expect(lostBytes).toBe(numbers.length * BLOCK);
      for (const block of numbers) {
        const inOne = ranges.some(({ offset, length }) => offset <= block * BLOCK && block * BLOCK < offset + length);
        expect(inOne).toBe(true);
      }
      expect(ranges.map(({ offset }) => offset)).toEqual(ranges.map(({ offset }) => offset).toSorted((a, b) => a - b));
    }),
  );
});
