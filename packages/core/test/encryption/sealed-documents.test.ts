import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { IntegrityError } from "@ovault/contract";
import { describeObjectStore, MemoryStore } from "@ovault/testkit";
import { never } from "@ovault/test-support/repository/take-point";

import { RepositoryKey } from "../../src/encryption/repository-key.ts";
import { sealedDocuments } from "../../src/encryption/sealed-documents.ts";
import { HoldingStore } from "../support/holding-store.ts";

describeObjectStore("a store of sealed documents", {
  open: async () => {
    const place = new MemoryStore();
    const key = RepositoryKey.generate();
    const store = sealedDocuments(place, key);
    return { store, second: sealedDocuments(place, key), dispose: () => store.close() };
  },
});

const options = { ifAbsent: true, signal: never };
const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("a sealed document", () => {
  test("is found to be damaged by any flipped bit and any cut, and by lengthening", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.oneof(
          fc.record({ flip: position, bit: fc.nat(7) }),
          fc.record({ cut: position }),
          fc.record({ append: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
        ),
        async (bytes, harm) => {
          const place = new MemoryStore();
          const store = sealedDocuments(place, RepositoryKey.generate());
          await store.put("points/a/b", [bytes], options);
          const object = Buffer.from(place.objects.get("points/a/b") ?? []);
          place.objects.set("points/a/b", harmed(object, harm));
          await expect(store.get("points/a/b", { signal: never })).rejects.toBeInstanceOf(IntegrityError);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("is refused under any other key, by any other repository, and in the clear", async () => {
    const place = new MemoryStore();
    const store = sealedDocuments(place, RepositoryKey.generate());
    await store.put("points/a/b", [Buffer.from("text")], options);
    place.objects.set("points/a/c", place.objects.get("points/a/b") ?? new Uint8Array());
    place.objects.set("points/a/d", Buffer.from("ovault point 1"));
    await expect(store.get("points/a/c", { signal: never })).rejects.toBeInstanceOf(IntegrityError);
    await expect(store.get("points/a/d", { signal: never })).rejects.toBeInstanceOf(IntegrityError);
    const other = sealedDocuments(place, RepositoryKey.generate());
    await expect(other.get("points/a/b", { signal: never })).rejects.toBeInstanceOf(IntegrityError);
  });

  test("looks different every time it is put", async () => {
    const place = new MemoryStore();
    const store = sealedDocuments(place, RepositoryKey.generate());
    const pieces = new Set<string>();
    for (let at = 0; at < 50; at += 1) {
      await store.put(`index/${at}`, [Buffer.alloc(64, 7)], options);
      const body = Buffer.from(place.objects.get(`index/${at}`) ?? []).subarray(16);
      for (let block = 0; block + 16 <= body.length; block += 16) {
        const piece = body.toString("hex", block, block + 16);
        expect(pieces.has(piece)).toBe(false);
        pieces.add(piece);
      }
    }
  });

  test("passes on until when it shall be held", async () => {
    const place = new HoldingStore();
    const store = sealedDocuments(place, RepositoryKey.generate());
    const retainUntil = new Date(1e12);
    await store.put("points/a/b", [Buffer.from("text")], { ...options, retainUntil });
    await store.put("packs/aa/aa", [Buffer.from("text")], { ...options, retainUntil });
    expect([...place.held.values()]).toEqual([retainUntil, retainUntil]);
  });
});

function harmed(
  object: Buffer,
  harm: { flip: number; bit: number } | { cut: number } | { append: Uint8Array },
): Uint8Array {
  if ("cut" in harm) return object.subarray(0, Math.floor(harm.cut * object.length));
  if ("append" in harm) return Buffer.concat([object, harm.append]);
  const at = Math.floor(harm.flip * object.length);
  object.writeUInt8(object.readUInt8(at) ^ (1 << harm.bit), at);
  return object;
}
