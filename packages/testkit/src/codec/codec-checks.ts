import { randomFillSync } from "node:crypto";

import * as fc from "fast-check";

import { type Codec, IntegrityError } from "@ovault/contract";

import { assertProperty } from "../assert-property.ts";
import { assertRejects, assertSame, assertSameBytes, outcomeOf } from "../assertions.ts";
import type { Check } from "../check.ts";

export interface CodecUnderTest {
  readonly codec: Codec;
  /** Number of randomized iterations. */
  readonly runs: number;
}

export type CodecCheck = Check<CodecUnderTest>;

const MIB = 1024 * 1024;
/** The largest block of a repository, and a size beyond any chunk. */
const LARGEST_BYTES = 8 * MIB;
const BOMB_BYTES = 32 * MIB;
const BOMBS = 4;
/** No codec makes these shorter. In one run of 700, none of 30 random samples is like that. */
const DISTINCT_BYTES = Uint8Array.from({ length: 256 }, (_, at) => at);

/** Runs of one byte between noise: data that compresses, does not, or does in parts. */
const plainBytes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 9000 })).map(([value, length]) => Buffer.alloc(length, value)),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((pieces) => Uint8Array.from(Buffer.concat(pieces)));

export const codecChecks: readonly CodecCheck[] = [
  {
    name: "its id fits in one byte, and it has a name",
    async run({ codec: { id, name } }) {
      assertSame(Number.isInteger(id) && id >= 0 && id <= 255, true, `the id ${id} is an integer from 0 to 255`);
      assertSame(typeof name === "string" && name.length > 0, true, "it has a name");
    },
  },
  {
    name: "what was encoded is decoded to the same bytes, whatever they are",
    async run({ codec, runs }, signal) {
      await assertRoundTrip(codec, DISTINCT_BYTES);
      await assertProperty(
        fc.asyncProperty(plainBytes, (plain) => assertRoundTrip(codec, plain)),
        runs,
        signal,
      );
    },
  },
  {
    name: "blocks of every size come back, easy ones and noise",
    async run({ codec }, signal) {
      for (const bytes of [1, 2, 511, 64 * 1024 - 1, MIB, LARGEST_BYTES]) {
        signal.throwIfAborted();
        await assertRoundTrip(codec, Buffer.alloc(bytes, "ovault "));
        await assertRoundTrip(codec, randomFillSync(Buffer.alloc(bytes)));
      }
    },
  },
  {
    name: "calls at the same time do not disturb each other",
    async run({ codec }) {
      const blocks = Array.from({ length: 24 }, (_, i) => Buffer.alloc(100_000 + i * 4099, `block ${i} `));
      await Promise.all(blocks.map((plain) => assertRoundTrip(codec, plain)));
    },
  },
  {
    name: "another length than the stored bytes have is an integrity error",
    async run({ codec }) {
      const plain = Buffer.alloc(10_000, "ovault ");
      const stored = (await codec.encode(plain)) ?? plain;
      for (const wrong of [1, plain.length - 1, plain.length + 1, LARGEST_BYTES]) {
        await assertRejects(() => codec.decode(stored, wrong), IntegrityError, `${plain.length} bytes as ${wrong}`);
      }
    },
  },
  {
    name: "hostile bytes are an integrity error, or give as many bytes as were asked for",
    async run({ codec, runs }, signal) {
      const damage = fc.oneof(
        fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
        fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat(7) }),
        fc.record({ kind: fc.constant("noise" as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
        fc.record({ kind: fc.constant("header" as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 24 }) }),
      );
      const property = fc.asyncProperty(plainBytes, damage, async (plain, what) => {
        const stored = damaged((await codec.encode(plain)) ?? plain, what);
        await assertHarmless(codec, stored, plain.length);
      });
      await assertProperty(property, runs * 10, signal);
    },
  },
  {
    name: "a few bytes that decode to many are refused without taking their space",
    async run({ codec }) {
      const plain = Buffer.alloc(BOMB_BYTES, "boom ");
      const stored = (await codec.encode(plain)) ?? plain;
      const before = peakBytes();
      await Promise.all(
        Array.from({ length: BOMBS }, () =>
          assertRejects(() => codec.decode(stored, 4096), IntegrityError, `${BOMB_BYTES} bytes as 4096`),
        ),
      );
      const grown = peakBytes() - before;
      assertSame(grown < (BOMBS * BOMB_BYTES) / 2, true, `memory stays small (it grew by ${grown} bytes)`);
      // Keeps `plain` alive until here, so that the peak above includes it.
      assertSame(plain.length, BOMB_BYTES, "the plain bytes");
    },
  },
];

async function assertRoundTrip(codec: Codec, plain: Uint8Array): Promise<void> {
  const original = Uint8Array.from(plain);
  const stored = await codec.encode(plain);
  assertSameBytes(plain, original, "the plain bytes after encode");
  if (stored === undefined) return;
  assertSame(stored.length < plain.length, true, `${plain.length} bytes shrink (to ${stored.length})`);
  // Chunks lie inside packs.
  const pack = Buffer.concat([Buffer.from("pack"), stored, Buffer.from("pack")]);
  const inside = pack.subarray(4, 4 + stored.length);
  assertSameBytes(await codec.decode(inside, plain.length), original, "the decoded bytes");
  assertSameBytes(inside, stored, "the stored bytes after decode");
}

type Damage =
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "noise" | "header"; readonly bytes: Uint8Array };

function damaged(stored: Uint8Array, damage: Damage): Uint8Array {
  const copy = Uint8Array.from(stored);
  switch (damage.kind) {
    case "cut":
      return copy.subarray(0, damage.at % copy.length);
    case "flip": {
      const at = damage.at % copy.length;
      copy[at] = (copy[at] ?? 0) ^ (1 << damage.bit);
      return copy;
    }
    case "noise":
      return damage.bytes;
    case "header":
      copy.set(damage.bytes.subarray(0, copy.length));
      return copy;
  }
}

async function assertHarmless(codec: Codec, stored: Uint8Array, plainLength: number): Promise<void> {
  const outcome = await outcomeOf(() => codec.decode(stored, plainLength));
  if ("value" in outcome) assertSame(outcome.value.length, plainLength, "bytes decoded from damaged ones");
  else await assertRejects(() => Promise.reject(outcome.error), IntegrityError, "decoding damaged bytes");
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
