import * as fc from "fast-check";
import { expect, test } from "vitest";

import { OvaultError } from "@ovault/contract";

import { decodeLz4, encodeLz4 } from "../../src/blocks/encodings/lz4-block.ts";

/** Some shrink, some do not. */
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 200 }))
    .map(([part, times]) => Uint8Array.from(Buffer.concat(Array.from({ length: times }, () => part)))),
);
const GUARD = 64;

/** Room for so many bytes in shared memory, between bytes that must stay as they are. */
function guarded(bytes: number): { readonly room: Uint8Array; readonly isWhole: () => boolean } {
  const all = new Uint8Array(new SharedArrayBuffer(bytes + 2 * GUARD)).fill(0xa5);
  const around = (): Uint8Array[] => [all.subarray(0, GUARD), all.subarray(GUARD + bytes)];
  return {
    room: all.subarray(GUARD, GUARD + bytes),
    isWhole: () => around().every((part) => part.every((byte) => byte === 0xa5)),
  };
}

test("what was encoded decodes to the same bytes in place, and what does not shrink is not encoded", () => {
  fc.assert(
    fc.property(contents, (content) => {
      const encoded = encodeLz4(content);
      if (encoded === undefined) return;
      expect(encoded.byteLength).toBeLessThan(content.byteLength);
      const { room, isWhole } = guarded(content.byteLength);
      decodeLz4(encoded, room);
      expect(Buffer.compare(room, content)).toBe(0);
      expect(isWhole()).toBe(true);
    }),
  );
});

test("data that shrinks is encoded, and the next block does not change what was given before", () => {
  const first = Buffer.alloc(1 << 20, "the first block ");
  const encoded = encodeLz4(first);
  const kept = Buffer.from(encoded ?? []);
  encodeLz4(Buffer.alloc(1 << 20, "another "));
  expect(kept.byteLength).toBeGreaterThan(0);
  expect(Buffer.compare(encoded ?? Buffer.alloc(0), kept)).toBe(0);
});

function outcomeOf(work: () => void): string {
  try {
    work();
    return "whole";
  } catch (error) {
    return error instanceof OvaultError ? error.code : String(error);
  }
}

test("hostile data is refused or decodes to the right length, and nothing around is touched", () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    // One that was right, cut or changed in one place.
    fc.tuple(contents, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean()).map(([content, at, byte, cut]) => {
      const encoded = encodeLz4(content) ?? content;
      const place = at % Math.max(1, encoded.byteLength);
      if (cut) return encoded.slice(0, place);
      const changed = encoded.slice();
      changed[place] = byte;
      return changed;
    }),
  );
  fc.assert(
    fc.property(hostile, fc.nat({ max: 4000 }), fc.boolean(), (stored, length, isAnnounced) => {
      const bytes = Buffer.from(stored);
      if (isAnnounced && bytes.byteLength >= 4) bytes.writeUInt32LE(length);
      const { room, isWhole } = guarded(length);
      expect(["whole", "E_INTEGRITY"]).toContain(outcomeOf(() => decodeLz4(bytes, room)));
      expect(isWhole()).toBe(true);
    }),
  );
});
