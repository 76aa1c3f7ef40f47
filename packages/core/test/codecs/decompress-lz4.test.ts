import { createHash } from "node:crypto";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decompressLz4 } from "../../src/blocks/encodings/decompress-lz4.ts";
import { lz4Library } from "../../src/blocks/encodings/lz4-library.ts";

const library = lz4Library();
const GUARD = 64;

/** What a decoder makes of a block, with room for a number of bytes in shared memory. */
interface Verdict {
  /** Undefined when it refuses, or does not fill the room, which is as bad. */
  readonly plain: string | undefined;
  /** Nothing around the room was touched. */
  readonly within: boolean;
}

function verdictOf(decoder: (block: Uint8Array, room: Uint8Array) => number, block: Uint8Array, room: number): Verdict {
  const all = new Uint8Array(new SharedArrayBuffer(room + 2 * GUARD)).fill(0xa5);
  const answer = decoder(block, all.subarray(GUARD, GUARD + room));
  const around = [...all.subarray(0, GUARD), ...all.subarray(GUARD + room)];
  return {
    plain: answer === room ? Buffer.from(all.subarray(GUARD, GUARD + room)).toString("base64") : undefined,
    within: around.every((byte) => byte === 0xa5),
  };
}

const theirs = (block: Uint8Array, room: number): Verdict =>
  verdictOf((from, into) => library.decompress(from, into, from.byteLength, into.byteLength), block, room);
const ours = (block: Uint8Array, room: number): Verdict => verdictOf(decompressLz4, block, room);

/**
 * A match at distance 0 may be refused: the library writes something, and the format does not say what. No chunk is empty, so
 * there is room for a byte at least.
 */
function expectSame(block: Uint8Array, room: number): void {
  const [own, other] = [ours(block, room), theirs(block, room)];
  expect(own.within).toBe(true);
  if (own.plain === undefined && hasDistanceZero(block)) return;
  expect(own).toEqual(other);
}

function hasDistanceZero(block: Uint8Array): boolean {
  return block.some((byte, at) => byte === 0 && block[at + 1] === 0);
}

function compressed(plain: Uint8Array): Uint8Array {
  const into = new Uint8Array(plain.byteLength + Math.ceil(plain.byteLength / 255) + 16);
  return into.slice(0, library.compress(plain, into, plain.byteLength, into.byteLength));
}

/** Repetitions of all distances, and literals of all lengths. */
const contents = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.integer({ min: 1, max: 60 }))
        .map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part))),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Uint8Array.from(Buffer.concat(parts)));

/** Beside what a block decodes to: mostly nothing. */
const roomier = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { arbitrary: fc.integer({ min: -20, max: 20 }), weight: 1 },
);

const lengthBytes = (length: number): number[] =>
  length < 15 ? [] : [...Array.from({ length: Math.floor((length - 15) / 255) }, () => 255), (length - 15) % 255];

const token = (literals: number, match: number): number => (Math.min(15, literals) << 4) | Math.min(15, match);

interface Sequence {
  readonly literals: Uint8Array;
  readonly distance: number;
  readonly match: number;
}

/** Sequences by the grammar of LZ4, whether or not their distances, lengths and ends are allowed. */
const grammatical = fc
  .tuple(
    fc.array(
      fc.record({
        literals: fc.uint8Array({ maxLength: 40 }),
        distance: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 65_535 })),
        match: fc.integer({ min: 4, max: 600 }),
      }),
      { maxLength: 6 },
    ),
    fc.uint8Array({ maxLength: 20 }),
  )
  .map(([sequences, last]) => {
    const encode = ({ literals, distance, match }: Sequence): number[] => [
      token(literals.byteLength, match - 4),
      ...lengthBytes(literals.byteLength),
      ...literals,
      distance & 255,
      distance >> 8,
      ...lengthBytes(match - 4),
    ];
    const block = Uint8Array.from([
      ...sequences.flatMap(encode),
      token(last.byteLength, 0),
      ...lengthBytes(last.byteLength),
      ...last,
    ]);
    const bytes = sequences.reduce((sum, { literals, match }) => sum + literals.byteLength + match, last.byteLength);
    return { block, bytes };
  });

describe("LZ4 without its library", () => {
  test("decodes what the library has encoded to the same bytes", () => {
    fc.assert(
      fc.property(contents, (plain) => {
        expect(ours(compressed(plain), plain.byteLength)).toEqual({
          plain: Buffer.from(plain).toString("base64"),
          within: true,
        });
      }),
      { numRuns: 500 },
    );
  });

  test("judges what was encoded and then changed, cut or lengthened as the library does, to the byte", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        contents,
        fc.array(change, { maxLength: 4 }),
        fc.integer({ min: -8, max: 8 }),
        roomier,
        (plain, changes, longer, more) => {
          const encoded = compressed(plain);
          const block = new Uint8Array(Math.max(0, encoded.byteLength + longer));
          block.set(encoded.subarray(0, block.byteLength));
          for (const { at, byte } of changes) if (block.byteLength > 0) block[at % block.byteLength] = byte;
          expectSame(block, Math.max(1, plain.byteLength + more));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("judges any sequences as the library does, whatever their distances, lengths and ends are", () => {
    fc.assert(
      fc.property(grammatical, roomier, ({ block, bytes }, more) => {
        expectSame(block, Math.max(1, bytes + more));
      }),
      { numRuns: 5000 },
    );
  });

  test("judges anything at all as the library does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 3000 }), (block, room) =>
        expectSame(block, room),
      ),
      { numRuns: 3000 },
    );
  });

  test("refuses a match at distance 0, and a length without end", () => {
    const filled = Buffer.alloc(12);
    expect(decompressLz4(Buffer.from([0x10, 1, 0, 0, 0x80, ...filled.subarray(0, 8)]), new Uint8Array(13))).toBe(-1);
    expect(decompressLz4(Buffer.alloc(1 << 20, 0xff), new Uint8Array(1 << 20))).toBe(-1);
  });

  test("decodes whole blocks of a MiB, compressible or hardly", () => {
    for (const [step, repeats] of [
      [1, 40],
      [37, 3],
    ] as const) {
      const plain = Buffer.concat(
        Array.from({ length: 32_768 }, (_, at) =>
          createHash("sha256")
            .update(String(Math.floor((at * step) / repeats)))
            .digest(),
        ),
      );
      const room = new Uint8Array(plain.byteLength);
      expect(decompressLz4(compressed(plain), room)).toBe(plain.byteLength);
      expect(Buffer.compare(room, plain)).toBe(0);
    }
  });
});
