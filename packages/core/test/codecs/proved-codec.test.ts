import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type Codec, IntegrityError } from "@ovault/contract";
import { MemoryStore, sourceOf } from "@ovault/testkit";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, takePoint } from "@ovault/test-support/repository/take-point";

import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { zstandard } from "../../src/blocks/codecs/zstandard.ts";

import { ProvedCodec } from "../../src/blocks/codecs/proved-codec.ts";

/** Shrinks under every codec. */
const plain = Buffer.alloc(4096, "the same again ");

interface Faulty {
  readonly codec: Codec;
  /** Results that were decoded. */
  readonly decoded: () => number;
}

/** Encodes wrongly from the result of this number on: one bit is flipped, or the codec's own output is cut. */
function faulty(codec: Codec, from: number, how: "flip" | "cut"): Faulty {
  let encoded = 0;
  let decoded = 0;
  return {
    decoded: () => decoded,
    codec: {
      id: codec.id,
      name: codec.name,
      async encode(bytes) {
        const result = await codec.encode(bytes);
        encoded += 1;
        if (result === undefined || encoded < from) return result;
        return how === "cut"
          ? result.slice(0, -1)
          : result.map((byte, at) => (at === result.length - 1 ? byte ^ 1 : byte));
      },
      async decode(bytes, plainBytes) {
        decoded += 1;
        return await codec.decode(bytes, plainBytes);
      },
    },
  };
}

test("a codec that begins to encode wrongly is found within 64 results, whenever it begins", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Codec>(lz4, zstandard()),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom<"flip" | "cut">("flip", "cut"),
      async (codec, from, how) => {
        const proved = new ProvedCodec(faulty(codec, from, how).codec);
        let results = 0;
        const failure = await (async () => {
          for (;;) {
            await proved.encode(plain);
            results += 1;
          }
        })().catch((error: unknown) => error);
        expect(failure).toMatchObject({
          code: "E_INTEGRITY_CODEC",
          hint: expect.stringContaining("Nothing was sealed"),
        });
        expect(failure).toBeInstanceOf(IntegrityError);
        expect(results + 1).toBeGreaterThanOrEqual(from);
        expect(results + 1 - from).toBeLessThan(64);
      },
    ),
    { numRuns: 20 },
  );
});

test("a codec that encodes well decodes one result in 64, and six of the first", async () => {
  const { codec, decoded } = faulty(lz4, Infinity, "flip");
  const proved = new ProvedCodec(codec);
  for (let result = 1; result < 640; result += 1) await proved.encode(plain);
  const stored = (await proved.encode(plain)) ?? new Uint8Array();
  expect(Buffer.compare(await lz4.decode(stored, plain.byteLength), plain)).toBe(0);
  expect(decoded()).toBe(10 + 6);
});

test("a run seals nothing on what a faulty codec has encoded", async () => {
  const store = new MemoryStore();
  const repository = await smallRepository(store, 4096, faulty(lz4, 1, "flip").codec);
  const disk = { bytes: plain, extents: [{ offset: 0, length: plain.byteLength, kind: "data" as const }] };
  await expect(takePoint(repository, [sourceOf(disk)])).rejects.toMatchObject({ code: "E_INTEGRITY_CODEC" });
  expect((await repository.points.list(never)).points).toEqual([]);
});
