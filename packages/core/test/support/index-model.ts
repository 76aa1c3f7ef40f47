import { createHash } from "node:crypto";

import * as fc from "fast-check";

import type { ChunkId } from "../../src/format/digest.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { HEADER_BYTES, MAX_CHUNK_BYTES, PackEntries, type PackEntry } from "../../src/repository/packs/pack-entries.ts";

export function idOf(number: number): ChunkId {
  return Uint8Array.from(createHash("sha256").update(String(number)).digest());
}

/** Ids that begin alike, with the first word at an end of its range, and differ in one late byte at most. */
export function alikeIds(count: number): ChunkId[] {
  return Array.from({ length: count }, (_, number) => {
    const id = new Uint8Array(32).fill(number % 2 === 0 ? 0xff : 0);
    id[8 + (number % 24)] = number;
    return id;
  });
}

export function packName(number: number): string {
  return createHash("sha256").update(`pack ${number}`).digest("hex").slice(0, 32);
}

/** A pack with some of these chunks, whose entries are possible. */
export function arbitraryListing(
  name: fc.Arbitrary<string>,
  id: fc.Arbitrary<ChunkId>,
  maxLength: number,
): fc.Arbitrary<PackListing> {
  const entry = fc.record({
    id,
    storedBytes: fc.nat(4096),
    plainBytes: fc.integer({ min: 1, max: MAX_CHUNK_BYTES }),
    codec: fc.nat(255),
  });
  return fc
    .record({
      name,
      kind: fc.constantFrom("data", "pages"),
      chunks: fc.array(entry, { minLength: 1, maxLength, size: "max" }),
    })
    .map(({ name: chosen, kind, chunks }) => {
      const entries: PackEntry[] = [];
      let dataEnd = HEADER_BYTES;
      for (const chunk of chunks) {
        entries.push({ ...chunk, offset: dataEnd });
        dataEnd += chunk.storedBytes;
      }
      return { name: chosen, kind, dataEnd, entries: PackEntries.of(entries) };
    });
}
