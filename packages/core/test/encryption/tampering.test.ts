import { randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { EncryptionKeyError, hasCode, IntegrityError, type OvaultError } from "@ovault/contract";
import type { RepositorySecret } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import {
  CHEAP,
  newKeyFile,
  reopenEncrypted,
  ringOf,
  smallEncrypted,
} from "@ovault/test-support/repository/encrypted-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { showsDamage, takeFullAndIncrement } from "../support/full-and-increment.ts";

const secret = newKeyFile();
/** Between the bytes that are tried one by one; the properties try all others by and by. */
const STEP = 5;

let origin: MemoryStore;
beforeAll(async () => {
  origin = await twoPoints(secret);
});

async function twoPoints(opens: RepositorySecret): Promise<MemoryStore> {
  const store = new MemoryStore();
  const repository = await smallEncrypted(store, opens);
  await takeFullAndIncrement(repository);
  await (await ringOf(store, opens)).add(newKeyFile(), { label: "second", cost: CHEAP, signal: never });
  return store;
}

/** Says whether anything was noticed; wrong bytes are never returned. */
async function isNoticed(store: MemoryStore): Promise<boolean> {
  try {
    return await showsDamage(await reopenEncrypted(store, secret));
  } catch (error) {
    if (hasCode(error, "E_REPOSITORY_VERSION") || hasCode(error, "E_NOT_A_REPOSITORY")) return true;
    if (error instanceof IntegrityError || error instanceof EncryptionKeyError) return true;
    throw error;
  }
}

function copyOf(store: MemoryStore): MemoryStore {
  const copy = new MemoryStore();
  for (const [key, bytes] of store.objects) copy.objects.set(key, Uint8Array.from(bytes));
  return copy;
}

const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyOf = (keys: readonly string[]): fc.Arbitrary<string> => fc.nat(1e6).map((n) => keys[n % keys.length] ?? "");

describe("tampering with the store is found out", () => {
  test("the untouched repository is clean", async () => {
    expect(await isNoticed(copyOf(origin))).toBe(false);
  });

  test("by any flipped bit, in any object", async () => {
    const keys = [...origin.objects.keys()];
    await fc.assert(
      fc.asyncProperty(anyOf(keys), position, fc.nat(7), async (key, at, bit) => {
        const store = copyOf(origin);
        const object = store.objects.get(key) ?? new Uint8Array();
        const byte = Math.floor(at * object.byteLength);
        object[byte] = (object[byte] ?? 0) ^ (1 << bit);
        expect(await isNoticed(store)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test("by bytes of every object's beginning and end", async () => {
    for (const [key, bytes] of origin.objects) {
      const places = new Set<number>();
      for (let at = 0; at < 64; at += STEP) places.add(at).add(bytes.byteLength - 1 - at);
      for (const at of places) {
        if (at < 0 || at >= bytes.byteLength) continue;
        const store = copyOf(origin);
        const object = store.objects.get(key) ?? new Uint8Array();
        object[at] = (object[at] ?? 0) ^ 0x20;
        expect(await isNoticed(store), `${key} byte ${at}`).toBe(true);
      }
    }
  });

  test("by any cut or lengthened object", async () => {
    const keys = [...origin.objects.keys()];
    await fc.assert(
      fc.asyncProperty(anyOf(keys), fc.option(position), async (key, at) => {
        const store = copyOf(origin);
        const object = origin.objects.get(key) ?? new Uint8Array();
        const length = at === null ? undefined : Math.floor(at * object.byteLength);
        store.objects.set(
          key,
          length === undefined ? Buffer.concat([object, randomBytes(16)]) : object.slice(0, length),
        );
        expect(await isNoticed(store)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("by any two objects that changed places", async () => {
    const keys = [...origin.objects.keys()];
    for (const [index, one] of keys.entries()) {
      for (const other of keys.slice(index + 1)) {
        const store = copyOf(origin);
        store.objects.set(one, origin.objects.get(other) ?? new Uint8Array());
        store.objects.set(other, origin.objects.get(one) ?? new Uint8Array());
        expect(await isNoticed(store), `${one} and ${other}`).toBe(true);
      }
    }
  });

  test("by any object under another name of its kind", async () => {
    for (const [key, bytes] of origin.objects) {
      const store = copyOf(origin);
      store.objects.delete(key);
      const digit = key.endsWith("0") ? "1" : "0";
      store.objects.set(`${key.slice(0, -1)}${digit}`, bytes);
      expect(await isNoticed(store), `${key} renamed`).toBe(true);
    }
  });

  test("by an object of another repository that opens with the same secret", async () => {
    const other = await twoPoints(secret);
    const kinds = ["ovault-repository", "keys/", "packs/", "index/", "points/"];
    for (const kind of kinds) {
      const store = copyOf(origin);
      const [mine, theirs] = [origin, other].map((from) =>
        [...from.objects.keys()].find((key) => key.startsWith(kind)),
      );
      store.objects.set(mine ?? "", other.objects.get(theirs ?? "") ?? new Uint8Array());
      expect(await isNoticed(store), `foreign ${kind}`).toBe(true);
    }
  });
});

test("no error of a store that was tampered with tells a secret", async () => {
  const texts: string[] = [];
  for (const key of origin.objects.keys()) {
    const store = copyOf(origin);
    store.objects.set(key, (origin.objects.get(key) ?? new Uint8Array()).slice(0, 60));
    await reopenEncrypted(store, secret).catch((error: OvaultError) =>
      texts.push(JSON.stringify(error), String(error)),
    );
  }
  expect(texts.length).toBeGreaterThan(0);
  for (const text of texts) {
    expect(text).not.toContain(Buffer.from(secret.bytes).toString("hex"));
    expect(text).not.toContain(Buffer.from(secret.bytes).toString("base64"));
  }
});
