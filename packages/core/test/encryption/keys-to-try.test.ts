import { randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { openKeyRing, Repository, RepositorySecret } from "@ovault/core";
import { keysOf, MemoryStore } from "@ovault/testkit";
import { newKeyFile } from "@ovault/test-support/repository/encrypted-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { SCRYPT_COST, type ScryptCost, workBytes } from "../../src/encryption/key-derivation.ts";
import { decodeKeyDocument, encodeKeyDocument, type KeyDocument } from "../../src/encryption/key-document.ts";
import { keysToTry, MOST_WORK_BYTES } from "../../src/encryption/keys-to-try.ts";

const CHEAP = { N: 2 ** 4, r: 8, p: 1 };
/** The most that a key may cost. */
const DEAR = { N: 2 ** 19, r: 8, p: 2 };
const secret = RepositorySecret.passphrase("correct horse battery staple");

async function encrypted(): Promise<{ readonly store: MemoryStore; readonly own: KeyDocument }> {
  const store = new MemoryStore();
  await Repository.create(store, { encryption: { secret, cost: CHEAP }, signal: never });
  const [key = ""] = await keysOf(store, "keys/");
  return { store, own: decodeKeyDocument(store.objects.get(key) ?? Buffer.alloc(0), key) };
}

function forged(own: KeyDocument, cost: ScryptCost): KeyDocument {
  const salt = randomBytes(32).toString("base64");
  return { ...own, id: randomBytes(8).toString("hex"), derivation: { name: "scrypt", salt, ...cost } };
}

function work(documents: readonly KeyDocument[]): readonly number[] {
  return documents.map(({ derivation }) => workBytes(derivation));
}

test("keys that another has put beside it delay the own key by nothing, whatever trying them would cost", async () => {
  const { store, own } = await encrypted();
  for (let count = 0; count < 100; count += 1) {
    const key = forged(own, DEAR);
    store.objects.set(`keys/${key.id}`, encodeKeyDocument(key));
  }
  const began = performance.now();
  const repository = await Repository.open(store, { secret, signal: never });
  // One try of theirs takes seconds.
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(repository.damaged).toHaveLength(100);
});

test("a key that no opening would try is not added, while cheaper ones and key files are", async () => {
  const { store, own } = await encrypted();
  const cost = { ...CHEAP, N: 2 ** 18 };
  const others = Array.from({ length: 16 }, () => forged(own, cost));
  expect(work(others).reduce((sum, one) => sum + one, 0)).toBe(MOST_WORK_BYTES);
  for (const key of others) store.objects.set(`keys/${key.id}`, encodeKeyDocument(key));
  const ring = await openKeyRing(store, { secret, signal: never });
  const before = await keysOf(store, "keys/");
  const another = RepositorySecret.passphrase("another horse with another battery");
  await expect(ring.add(another, { cost, signal: never })).rejects.toMatchObject({
    code: "E_USAGE",
    hint: expect.stringContaining("ovault key remove"),
  });
  expect(await keysOf(store, "keys/")).toEqual(before);
  await ring.add(newKeyFile(), { cost, signal: never });
  await ring.add(another, { cost: CHEAP, signal: never });
  await Repository.open(store, { secret: another, signal: never });
});

test("what all tries cost together has a limit, the cheapest come first, and none is left out without being named", async () => {
  const { own } = await encrypted();
  const costs = fc.array(fc.integer({ min: 4, max: 19 }), { maxLength: 128 });
  fc.assert(
    fc.property(costs, (exponents) => {
      const documents = exponents.map((exponent) => forged(own, { ...CHEAP, N: 2 ** exponent }));
      const { tried, skipped } = keysToTry(documents, "passphrase");
      expect(work(tried).reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(MOST_WORK_BYTES);
      expect(new Set([...tried, ...skipped])).toEqual(new Set(documents));
      expect(work([...tried, ...skipped])).toEqual(work(documents).toSorted((a, b) => a - b));
    }),
  );
  // As many as a repository is likely to have.
  const usual = Array.from({ length: 32 }, () => forged(own, SCRYPT_COST));
  expect(keysToTry(usual, "passphrase").skipped).toEqual([]);
  expect(keysToTry([...usual, forged(own, SCRYPT_COST)], "passphrase").skipped).toHaveLength(1);
  expect(keysToTry([own], "key-file")).toEqual({ tried: [], skipped: [] });
});
