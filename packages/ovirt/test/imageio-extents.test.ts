import { SourceError, type Extent, type ExtentKind } from "@ovault/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { clipExtents } from "../src/imageio/clip-extents.ts";
import { ExtentList } from "../src/imageio/extent-list.ts";
import { parseExtents, type ImageioExtent } from "../src/imageio/parse-extents.ts";
import { collect } from "./support/collect.ts";

const lengths = fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 60 });

function arbitraryExtents(): fc.Arbitrary<ImageioExtent[]> {
  return lengths.chain((list) =>
    fc
      .tuple(
        ...list.map((length) => fc.record({ length: fc.constant(length), zero: fc.boolean(), dirty: fc.boolean() })),
      )
      .map((entries) => {
        let start = 0;
        return entries.map(({ length, ...flags }) => {
          const extent = { start, length, ...flags };
          start += length;
          return extent;
        });
      }),
  );
}

function arbitraryCuts(text: string): fc.Arbitrary<Uint8Array[]> {
  const bytes = new TextEncoder().encode(text);
  return fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 }).map((cuts) => {
    const points = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    return points.slice(1).map((end, index) => bytes.slice(points[index], end));
  });
}

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

test("extents parse alike however the body is cut, with or without white space", async () => {
  const body = arbitraryExtents().chain((extents) =>
    fc
      .constantFrom(0, 2)
      .chain((indent) =>
        arbitraryCuts(`${JSON.stringify(extents, null, indent)}\n`).map((chunks) => ({ extents, chunks })),
      ),
  );
  await fc.assert(
    fc.asyncProperty(body, async ({ extents, chunks }) => {
      expect(await collect(parseExtents(from(chunks)))).toEqual(extents);
    }),
  );
});

test("a list of extents that is cut anywhere is an error, never a shorter list", async () => {
  const cut = arbitraryExtents()
    .filter((extents) => extents.length > 0)
    .chain((extents) => {
      const text = JSON.stringify(extents);
      return fc.integer({ min: 0, max: text.length - 1 }).map((end) => text.slice(0, end));
    });
  await fc.assert(
    fc.asyncProperty(cut, async (text) => {
      await expect(collect(parseExtents(from([new TextEncoder().encode(text)])))).rejects.toThrow(SourceError);
    }),
  );
});

test.each([
  ["a gap", '[{"start":0,"length":5,"zero":true},{"start":6,"length":1,"zero":true}]'],
  ["an overlap", '[{"start":0,"length":5,"zero":true},{"start":4,"length":1,"zero":true}]'],
  ["a start that is not 0", '[{"start":1,"length":5,"zero":true}]'],
  ["an empty extent", '[{"start":0,"length":0,"zero":true}]'],
  ["a negative length", '[{"start":0,"length":-1,"zero":true}]'],
  ["an object instead of a list", '{"start":0,"length":1}'],
  ["an HTML page", "<html>{}</html>"],
  ["a missing comma", '[{"start":0,"length":5}{"start":5,"length":1}]'],
])("extents with %s are refused", async (_what, text) => {
  await expect(collect(parseExtents(from([new TextEncoder().encode(text)])))).rejects.toThrow(SourceError);
});

test("extents are clipped to the disk, and must reach its end", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryExtents(), fc.nat(), fc.nat(), async (extents, a, b) => {
      const total = extents.reduce((sum, { length }) => sum + length, 0);
      const start = a % (total + 1);
      const end = start + (b % (total - start + 1));
      const clipped = await collect(clipExtents(from(extents), start, end));
      expect(clipped.reduce((sum, { length }) => sum + length, 0)).toBe(end - start);
      for (const part of clipped) {
        expect(
          extents.some(
            (e) => e.zero === part.zero && e.start <= part.start && part.start + part.length <= e.start + e.length,
          ),
        ).toBe(true);
      }
      await expect(collect(clipExtents(from(extents), 0, total + 1))).rejects.toThrow(SourceError);
    }),
  );
});

test("an extent list gives back what was put in, with equal neighbours joined", () => {
  const entry = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 33 })),
    kind: fc.constantFrom<ExtentKind>("data", "zero", "unchanged"),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 100 }), fc.constantFrom(1, 500), (entries, repeat) => {
      const list = new ExtentList();
      const expected: Extent[] = [];
      let offset = 0;
      for (let round = 0; round < repeat; round += 1) {
        for (const { length, kind } of entries) {
          list.append(length, kind);
          const last = expected.at(-1);
          if (last?.kind === kind) expected[expected.length - 1] = { ...last, length: last.length + length };
          else expected.push({ offset, length, kind });
          offset += length;
        }
      }
      expect([...list]).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
