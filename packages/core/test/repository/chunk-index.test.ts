import { createHash } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ChunkIndex } from "../../src/repository/chunk-index.ts";
import type { ChunkId } from "../../src/repository/digest.ts";
import { decodeIndex, encodeIndex, type PackListing } from "../../src/repository/index-format.ts";
import { HEADER_BYTES, MAX_CHUNK_BYTES, PackEntries } from "../../src/repository/pack-entries.ts";

function idOf(number: number): ChunkId {
  return Uint8Array.from(createHash("sha256").update(String(number)).digest());
}

const entry = fc.record({
  number: fc.nat(5000),
  storedBytes: fc.nat(4096),
  plainBytes: fc.integer({ min: 1, max: MAX_CHUNK_BYTES }),
  codec: fc.nat(255),
});

const listing: fc.Arbitrary<PackListing> = fc
  .tuple(
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.constantFrom("data", "pages"),
    fc.array(entry, { maxLength: 40 }),
  )
  .map(([name, kind, entries]) => {
    let offset = HEADER_BYTES;
    const placed = entries.map(({ number, ...facts }) => {
      const place = { id: idOf(number), offset, ...facts };
      offset += facts.storedBytes;
      return place;
    });
    return { name: Buffer.from(name).toString("hex"), kind, dataEnd: offset, entries: PackEntries.of(placed) };
  });

/** With entries as plain values, so that they can be compared. */
function unpacked(listings: readonly PackListing[]) {
  return listings.map((pack) => ({ ...pack, entries: [...pack.entries] }));
}

test("an index object lists what was put into it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(listing, { maxLength: 6 }), async (packs) => {
      expect(unpacked(await decodeIndex(await encodeIndex(packs), "index/x"))).toEqual(unpacked(packs));
    }),
  );
});

test("the index finds what a map would find: every place of every chunk in order, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(listing, { maxLength: 6 }), (packs) => {
      const index = new ChunkIndex();
      const model = new Map<string, unknown[]>();
      for (const pack of packs) {
        index.add(pack);
        for (const { id, ...facts } of pack.entries) {
          const key = Buffer.from(id).toString("hex");
          model.set(key, [
            ...(model.get(key) ?? []),
            { ...facts, pack: { name: pack.name, kind: pack.kind, state: "usable" } },
          ]);
        }
      }
      expect(index.size).toBe(model.size);
      for (let number = 0; number < 5000; number += 250) {
        const id = idOf(number);
        expect(index.find(id)).toEqual(model.get(Buffer.from(id).toString("hex")) ?? []);
      }
      for (const [key, places] of model) expect(index.find(Uint8Array.from(Buffer.from(key, "hex")))).toEqual(places);
    }),
  );
});

test("it grows past its segments and slots", () => {
  const index = new ChunkIndex();
  const count = 150_000;
  const entries = Array.from({ length: count }, (_, number) => ({
    id: idOf(number),
    offset: HEADER_BYTES,
    storedBytes: number,
    plainBytes: 1,
    codec: 1,
  }));
  index.add({ name: "00".repeat(16), kind: "data", dataEnd: HEADER_BYTES, entries: PackEntries.of(entries) });
  expect(index.size).toBe(count);
  for (const number of [0, 65_535, 65_536, 131_072, count - 1]) {
    expect(index.find(idOf(number))[0]?.storedBytes).toBe(number);
    expect(index.entryOf(idOf(number))).toBe(number);
  }
  expect(index.has(idOf(count))).toBe(false);
});
