import { createHash, createHmac, createSecretKey } from "node:crypto";

import { blake3 } from "@noble/hashes/blake3.js";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { digestBlock } from "../../src/blocks/digests/digest-block.ts";

const bytes = fc.uint8Array({ maxLength: 5000 });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** The same bytes in shared memory, somewhere in the middle of others. */
function lent(content: Uint8Array, before: number): Uint8Array {
  const all = new Uint8Array(new SharedArrayBuffer(before + content.byteLength + 3)).fill(0xee);
  all.set(content, before);
  return all.subarray(before, before + content.byteLength);
}

test("ids are what other implementations of the same digests give, wherever the bytes lie", () => {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 70 }), (content, before) => {
      const plain = lent(content, before);
      const hex = (name: "blake3" | "sha-256"): string =>
        Buffer.from(digestBlock({ name, key: undefined }, plain)).toString("hex");
      expect(hex("blake3")).toBe(Buffer.from(blake3(content)).toString("hex"));
      expect(hex("sha-256")).toBe(createHash("sha256").update(content).digest("hex"));
    }),
  );
});

test("keyed ids are BLAKE3's keyed mode, and HMAC-SHA-256", () => {
  fc.assert(
    fc.property(bytes, key, (content, secret) => {
      const hidden = createSecretKey(secret);
      const hex = (name: "blake3" | "sha-256"): string =>
        Buffer.from(digestBlock({ name, key: hidden }, content)).toString("hex");
      expect(hex("blake3")).toBe(Buffer.from(blake3(content, { key: secret })).toString("hex"));
      expect(hex("sha-256")).toBe(createHmac("sha256", secret).update(content).digest("hex"));
    }),
  );
});

test("the id has memory of its own, of 32 bytes", () => {
  for (const name of ["blake3", "sha-256"] as const) {
    const id = digestBlock({ name, key: undefined }, Buffer.from("a block"));
    expect([id.byteLength, id.byteOffset, id.buffer.byteLength]).toEqual([32, 0, 32]);
  }
});
