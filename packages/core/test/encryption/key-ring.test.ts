import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { openKeyRing, Repository, RepositorySecret } from "@ovault/core";
import { FaultyStore, keysOf, MemoryStore, sourceOf } from "@ovault/testkit";
import {
  CHEAP,
  newKeyFile,
  reopenEncrypted,
  ringOf,
  smallEncrypted,
} from "@ovault/test-support/repository/encrypted-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

import { encodeDocument } from "../../src/format/document.ts";
import { HoldingStore } from "../support/holding-store.ts";

const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
const disk = { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" as const }] };
const cheaply = { cost: CHEAP, signal: never };
const keep = { evenInUse: false, signal: never };

async function withTwoKeys(): Promise<{ store: MemoryStore; one: RepositorySecret; two: RepositorySecret }> {
  const store = new MemoryStore();
  const [one, two] = [newKeyFile(), RepositorySecret.passphrase("the second")];
  await smallEncrypted(store, one);
  await (await ringOf(store, one)).add(two, { label: "two", ...cheaply });
  return { store, one, two };
}

async function idsByLabel(store: MemoryStore, secret: RepositorySecret): Promise<Map<string, string>> {
  const { keys } = await (await ringOf(store, secret)).list(never);
  return new Map(keys.map(({ label, id }) => [label, id]));
}

describe("the keys of a repository", () => {
  test("each open the same points, and are listed with their kinds and labels", async () => {
    const { store, one, two } = await withTwoKeys();
    const point = await takePoint(await reopenEncrypted(store, one), [sourceOf(disk)]);
    expect(await restoredBytes(await reopenEncrypted(store, two), point)).toEqual(bytes);
    const { keys, damaged } = await (await ringOf(store, two)).list(never);
    expect(damaged).toEqual([]);
    expect(keys.toSorted((a, b) => a.label.localeCompare(b.label))).toMatchObject([
      { label: "first", kind: "key-file", inUse: false },
      { label: "two", kind: "passphrase", inUse: true },
    ]);
  });

  test("change a passphrase without touching anything else", async () => {
    const { store, one, two } = await withTwoKeys();
    const point = await takePoint(await reopenEncrypted(store, two), [sourceOf(disk)]);
    const others = [...store.objects].filter(([key]) => !key.startsWith("keys/"));
    const renewed = RepositorySecret.passphrase("renewed");
    await (await ringOf(store, two)).add(renewed, { label: "renewed", ...cheaply });
    const ring = await ringOf(store, renewed);
    await ring.remove((await idsByLabel(store, one)).get("two") ?? "", keep);
    await expect(ringOf(store, two)).rejects.toMatchObject({ code: "E_KEY_WRONG" });
    expect(await restoredBytes(await reopenEncrypted(store, renewed), point)).toEqual(bytes);
    for (const [key, object] of others) expect(store.objects.get(key)).toBe(object);
  });

  test("a removed key opens nothing from then on, but still a copy of the store that was made before", async () => {
    const { store, one, two } = await withTwoKeys();
    const copy = new MemoryStore();
    for (const [key, object] of store.objects) copy.objects.set(key, object);
    await (await ringOf(store, one)).remove((await idsByLabel(store, one)).get("two") ?? "", keep);
    await expect(reopenEncrypted(store, two)).rejects.toMatchObject({ code: "E_KEY_WRONG" });
    await reopenEncrypted(copy, two);
  });

  test("the last one is never removed, and the one in use only when told so", async () => {
    const { store, one, two } = await withTwoKeys();
    const ring = await ringOf(store, one);
    const ids = await idsByLabel(store, one);
    await expect(ring.remove(ids.get("first") ?? "", keep)).rejects.toMatchObject({
      code: "E_USAGE",
      message: expect.stringContaining("ovault.yaml opens the repository with"),
    });
    expect(await ring.remove(ids.get("first")?.slice(0, 8) ?? "", { ...keep, evenInUse: true })).toBe(ids.get("first"));
    const left = await ringOf(store, two);
    await expect(left.remove(ids.get("two") ?? "", { ...keep, evenInUse: true })).rejects.toMatchObject({
      code: "E_USAGE",
      message: expect.stringContaining("the last key"),
    });
    await reopenEncrypted(store, two);
  });

  test("two processes that remove each other's key at the same time leave one", async () => {
    for (let round = 0; round < 3; round += 1) {
      const { store, one, two } = await withTwoKeys();
      const ids = await idsByLabel(store, one);
      const [a, b] = [await ringOf(store, one), await ringOf(store, two)];
      const removals = await Promise.allSettled([
        a.remove(ids.get("two") ?? "", keep),
        b.remove(ids.get("first") ?? "", keep),
      ]);
      expect(removals.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect((await keysOf(store, "keys/")).length).toBe(1);
      const opened = await Promise.allSettled([ringOf(store, one), ringOf(store, two)]);
      expect(opened.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    }
  });

  test("are not made without end", async () => {
    const store = new MemoryStore();
    const secret = newKeyFile();
    await smallEncrypted(store, secret);
    const ring = await ringOf(store, secret);
    for (let keys = 1; keys < 32; keys += 1) await ring.add(newKeyFile(), cheaply);
    await expect(ring.add(newKeyFile(), cheaply)).rejects.toMatchObject({ code: "E_USAGE" });
    await reopenEncrypted(store, secret);
  });

  test("are held as long as everything else in the store, and so are the settings", async () => {
    const store = new HoldingStore();
    const secret = newKeyFile();
    await Repository.create(store, { encryption: { secret }, lockDays: 7, signal: never });
    await (await openKeyRing(store, { secret, lockDays: 7, signal: never })).add(newKeyFile(), cheaply);
    expect(store.held.size).toBe(3);
    const sixDays = new Date(Date.now() + 6 * 24 * 60 * 60 * 1000);
    for (const until of store.held.values()) expect(until?.getTime()).toBeGreaterThan(sixDays.getTime());
  });

  test("an id that is unknown, or the beginning of several, is an error that removes nothing", async () => {
    const { store, one } = await withTwoKeys();
    const ring = await ringOf(store, one);
    for (const wanted of ["", "zzzz"]) {
      await expect(ring.remove(wanted, keep)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    }
    expect((await keysOf(store, "keys/")).length).toBe(2);
  });

  test("a label is one line", async () => {
    const { store, one } = await withTwoKeys();
    const ring = await ringOf(store, one);
    for (const label of ["two\nlines", "\u2028", "x".repeat(101), "\u0000"]) {
      await expect(ring.add(newKeyFile(), { label, ...cheaply })).rejects.toMatchObject({ code: "E_USAGE" });
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 20 }), async (label) => {
        const fresh = new MemoryStore();
        await smallEncrypted(fresh, one);
        await (await ringOf(fresh, one)).add(newKeyFile(), { label, ...cheaply });
        expect((await (await ringOf(fresh, one)).list(never)).keys.map((key) => key.label)).toContain(label);
      }),
      { numRuns: 50 },
    );
  });

  test.each(["before", "after"] as const)(
    "survive a store that fails %s its k-th call, whatever was asked",
    async (when) => {
      for (let call = 1; call <= 20; call += 1) {
        const { store, one } = await withTwoKeys();
        const ids = await idsByLabel(store, one);
        const third = newKeyFile();
        const faulty = new FaultyStore(store, { call, when, error: new Error("planned") });
        const ring = await ringOf(faulty, one).catch(() => undefined);
        const added = await ring?.add(third, cheaply).catch(() => undefined);
        await ring?.remove(ids.get("two") ?? "", keep).catch(() => undefined);
        await reopenEncrypted(store, one);
        if (added !== undefined) await reopenEncrypted(store, third);
        expect((await (await ringOf(store, one)).list(never)).damaged).toEqual([]);
      }
    },
  );
});

describe("hostile keys in the store", () => {
  const salt = Buffer.alloc(32).toString("base64");
  const scrypt = { name: "scrypt", salt, N: 2 ** 14, r: 8, p: 1 };
  const hostile: readonly (readonly [string, object])[] = [
    ["absurd memory", { derivation: { ...scrypt, N: 2 ** 40 } }],
    ["absurd work", { derivation: { ...scrypt, p: 2 ** 30 } }],
    ["an absurd block size", { derivation: { ...scrypt, r: 2 ** 31 } }],
    ["an N that scrypt does not know", { derivation: { ...scrypt, N: 2 ** 16, r: 1 } }],
    ["an N that is no power of two", { derivation: { ...scrypt, N: 12_345 } }],
    ["figures that are none", { derivation: { ...scrypt, N: "131072", r: null, p: -1 } }],
    ["fractions", { derivation: { ...scrypt, r: 0.5 } }],
    ["a derivation of tomorrow", { derivation: { name: "argon2", salt } }],
    ["a short salt", { derivation: { ...scrypt, salt: "AAAA" } }],
    ["a long wrapped key", { wrapped: Buffer.alloc(1000).toString("base64") }],
    ["a short wrapped key", { wrapped: "AAAA" }],
    ["no wrapped key", { wrapped: undefined }],
    ["a label of many lines", { label: "a\nb" }],
    ["another id", { id: "00000000000000ff" }],
    ["__proto__", JSON.parse('{"__proto__":{"derivation":{"name":"hkdf"}}}') as object],
  ];

  test.each(hostile)("with %s are reported as damaged, and the others open", async (_, changes) => {
    const { store, one, two } = await withTwoKeys();
    const { settings } = await reopenEncrypted(store, one);
    const key = "keys/0000000000000000";
    const forged = {
      id: "0000000000000000",
      repository: settings.id,
      label: "forged",
      createdAt: new Date().toISOString(),
      derivation: scrypt,
      wrapped: Buffer.alloc(48).toString("base64"),
      proof: Buffer.alloc(32).toString("base64"),
      ...changes,
    };
    store.objects.set(key, encodeDocument("key", 1, forged));
    for (const secret of [one, two]) {
      const repository = await reopenEncrypted(store, secret);
      expect(repository.damaged.map((object) => object.key)).toEqual([key]);
    }
    const ring = await ringOf(store, two);
    expect((await ring.list(never)).damaged.map((object) => object.key)).toEqual([key]);
    await ring.remove("0000", keep);
    expect((await ring.list(never)).damaged).toEqual([]);
  });

  test("any other content opens nothing and blocks no other key", async () => {
    const { store, one } = await withTwoKeys();
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 400 }), fc.json().map(Buffer.from)), async (content) => {
        for (const object of [content, encodeDocument("key", 1, Buffer.from(content).toString("latin1"))]) {
          store.objects.set("keys/ffff", object);
          expect((await reopenEncrypted(store, one)).damaged.length).toBe(1);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("too many of them, and one that is too large, are refused without reading on", async () => {
    const { store, one } = await withTwoKeys();
    store.objects.set("keys/0000000000000000", Buffer.alloc(1 << 20));
    expect((await reopenEncrypted(store, one)).damaged.length).toBe(1);
    for (let at = 0; at < 130; at += 1) store.objects.set(`keys/${String(at).padStart(16, "0")}`, Buffer.alloc(1));
    await expect(reopenEncrypted(store, one)).rejects.toMatchObject({ code: "E_INTEGRITY" });
  });

  test("a key that was relabelled, or copied from another repository, is found", async () => {
    const { store, one, two } = await withTwoKeys();
    const ids = await idsByLabel(store, one);
    const key = `keys/${ids.get("two")}`;
    const text = Buffer.from(store.objects.get(key) ?? []).toString("utf8");
    const document = JSON.parse(text.slice(text.indexOf("\n"))) as object;
    store.objects.set(key, encodeDocument("key", 1, { ...document, label: "somebody who left" }));
    expect((await reopenEncrypted(store, one)).damaged.map((object) => object.key)).toEqual([key]);
    await expect(reopenEncrypted(store, two)).rejects.toMatchObject({ code: "E_INTEGRITY" });
    const other = await withTwoKeys();
    for (const [name, object] of other.store.objects) if (name.startsWith("keys/")) store.objects.set(name, object);
    await expect(reopenEncrypted(store, other.one)).rejects.toMatchObject({ code: "E_KEY_WRONG" });
  });
});
