import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type PlacedChunk, readRanges } from "../../src/repository/chunks/read-ranges.ts";

const MIB = 1024 * 1024;

const chunks: fc.Arbitrary<PlacedChunk[]> = fc.array(
  fc
    .record({
      pack: fc.constantFrom("a", "b", "c"),
      offset: fc.integer({ min: 16, max: 64 * MIB }),
      storedBytes: fc.integer({ min: 0, max: 2 * MIB }),
    })
    .map(({ pack, ...place }) => ({
      pack,
      entry: { ...place, id: new Uint8Array(32), plainBytes: 1, codec: 1 },
    })),
  { maxLength: 40 },
);

test("every chunk is in exactly one range, in its own pack, and wholly", () => {
  fc.assert(
    fc.property(chunks, (wanted) => {
      const ranges = readRanges(wanted);
      const found = ranges.flatMap(({ pack, entries }) => entries.map((entry) => ({ pack, entry })));
      expect(found.length).toBe(wanted.length);
      for (const { pack, entry } of wanted) {
        expect(found.filter((one) => one.entry === entry).map((one) => one.pack)).toEqual([pack]);
      }
      for (const { offset, length, entries } of ranges) {
        expect(Math.min(...entries.map((entry) => entry.offset))).toBe(offset);
        expect(Math.max(...entries.map((entry) => entry.offset + entry.storedBytes))).toBe(offset + length);
        expect(length).toBeLessThanOrEqual(16 * MIB);
      }
    }),
  );
});

test("chunks that lie side by side are one range, whatever the order in which they are asked for", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: MIB }), { minLength: 1, maxLength: 8 }), fc.nat(), (sizes, turn) => {
      let offset = 16;
      const wanted = sizes.map((storedBytes): PlacedChunk => {
        const entry = { id: new Uint8Array(32), offset, storedBytes, plainBytes: 1, codec: 0 };
        offset += storedBytes;
        return { pack: "a", entry };
      });
      const at = turn % wanted.length;
      const ranges = readRanges([...wanted.slice(at), ...wanted.slice(0, at)]);
      expect(ranges.map(({ length }) => length)).toEqual([offset - 16]);
    }),
  );
});
