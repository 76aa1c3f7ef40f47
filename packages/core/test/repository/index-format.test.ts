import { createHash } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { hasCode } from "@ovault/contract";

import { decodeIndex, encodeIndex } from "../../src/repository/index/index-format.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { arbitraryListing, idOf } from "../support/index-model.ts";

const DIGEST_BYTES = 32;

const name = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const listings = fc.array(arbitraryListing(name, fc.nat(5000).map(idOf), 40), { maxLength: 6 });

/** With entries as plain values, so that they can be compared. */
function unpacked(packs: Iterable<PackListing>) {
  return Array.from(packs, (pack) => ({ ...pack, entries: [...pack.entries] }));
}

test("an index object lists what was put into it, wherever it lies in memory", async () => {
  await fc.assert(
    fc.asyncProperty(listings, fc.nat(7), async (packs, shift) => {
      const object = await encodeIndex(packs);
      const moved = new Uint8Array(shift + object.byteLength);
      moved.set(object, shift);
      expect(unpacked(await decodeIndex(moved.subarray(shift), "index/x"))).toEqual(unpacked(packs));
    }),
  );
});

test("impossible figures in an index object are refused, even with the right digest", async () => {
  const figure = fc.oneof(fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff), fc.nat(0xffff_ffff));
  await fc.assert(
    fc.asyncProperty(listings, fc.nat(), figure, fc.option(fc.nat(100)), async (packs, at, value, cut) => {
      const whole = Buffer.from(await encodeIndex(packs));
      const body = whole.subarray(0, Math.max(16, whole.byteLength - DIGEST_BYTES - (cut ?? 0)));
      // From the number of packs on.
      body.writeUInt32LE(value, 12 + (at % Math.max(1, body.byteLength - 15)));
      const object = Buffer.concat([body, createHash("sha256").update(body).digest()]);
      try {
        for (const { dataEnd, entries } of await decodeIndex(object, "index/x")) {
          for (const { offset, storedBytes, plainBytes } of entries) {
            expect(offset).toBeGreaterThanOrEqual(16);
            expect(offset + storedBytes).toBeLessThanOrEqual(dataEnd);
            expect(plainBytes).toBeLessThanOrEqual(8 * 2 ** 20);
          }
        }
      } catch (error) {
        if (!hasCode(error, "E_INTEGRITY")) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
