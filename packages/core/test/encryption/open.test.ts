import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { openKeyRing, Repository, RepositorySecret, retrying } from "@ovault/core";
import { FaultyStore, keysOf, MemoryStore, sourceOf } from "@ovault/testkit";
import {
  CHEAP,
  newKeyFile,
  reopenEncrypted,
  smallEncrypted,
} from "@ovault/test-support/repository/encrypted-repository";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, takePoint } from "@ovault/test-support/repository/take-point";

import { SCRYPT_COST } from "../../src/encryption/key-derivation.ts";
import { decodeDocument, encodeDocument } from "../../src/format/document.ts";

const SETTINGS = "ovault-repository";
const title = "destination nas";

/** Counts what is read besides the settings and the keys. */
async function readsOfContent(store: MemoryStore, open: (store: MemoryStore) => Promise<unknown>): Promise<number> {
  let reads = 0;
  const watched = new MemoryStore();
  for (const [key, bytes] of store.objects) watched.objects.set(key, bytes);
  const get = watched.get.bind(watched);
  watched.get = (key, options) => {
    if (key !== SETTINGS && !key.startsWith("keys/")) reads += 1;
    return get(key, options);
  };
  await open(watched);
  return reads;
}

describe("opening an encrypted repository", () => {
  test.each([
    ["another key file", newKeyFile(), "E_KEY_WRONG", "this key file does not open the repository in destination nas"],
    [
      "a passphrase",
      RepositorySecret.passphrase("guess"),
      "E_KEY_WRONG",
      "does not open with a passphrase, but with a key file",
    ],
    ["nothing", undefined, "E_KEY_MISSING", "the repository in destination nas is encrypted"],
  ])("with %s is refused before anything else is read", async (_, secret, code, message) => {
    const store = new MemoryStore();
    const repository = await smallEncrypted(store, newKeyFile());
    await takePoint(repository, [
      sourceOf({ bytes: randomBytes(5000), extents: [{ offset: 0, length: 5000, kind: "data" }] }),
    ]);
    const objects = new Map(store.objects);
    const reads = await readsOfContent(store, async (watched) => {
      const opening = Repository.open(watched, { secret, title, signal: never });
      await expect(opening).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
      await expect(opening).rejects.toHaveProperty("hint", expect.stringContaining("ovault.yaml"));
    });
    expect(reads).toBe(0);
    expect(store.objects).toEqual(objects);
  });

  test("with a passphrase takes it in whatever form its letters come", async () => {
    const store = new MemoryStore();
    await smallEncrypted(store, RepositorySecret.passphrase("Schl\u00fcssel"));
    await reopenEncrypted(store, RepositorySecret.passphrase("Schlu\u0308ssel"));
    await expect(reopenEncrypted(store, RepositorySecret.passphrase("Schlussel"))).rejects.toMatchObject({
      code: "E_KEY_WRONG",
    });
  });

  test("works with any passphrase and any key file, and with no other", async () => {
    const passphrase = fc.string({ minLength: 1, unit: "binary" }).map((text) => RepositorySecret.passphrase(text));
    const keyFile = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => RepositorySecret.keyFile(bytes));
    const secrets = fc.oneof(passphrase, keyFile);
    await fc.assert(
      fc.asyncProperty(secrets, secrets, async (right, other) => {
        const store = new MemoryStore();
        const { settings } = await smallEncrypted(store, right);
        expect((await reopenEncrypted(store, right)).settings).toEqual(settings);
        fc.pre(right.kind !== other.kind || Buffer.compare(right.bytes, other.bytes) !== 0);
        await expect(reopenEncrypted(store, other)).rejects.toMatchObject({ code: "E_KEY_WRONG" });
      }),
      { numRuns: 100 },
    );
  });

  test("with a passphrase says when there is no memory for it", async () => {
    const program = fileURLToPath(new URL("../support/short-of-memory.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    expect(JSON.parse(stdout)).toMatchObject({ code: "E_KEY", hint: expect.stringContaining("128 MiB") });
  });

  test("says what is lost when every key is gone", async () => {
    const store = new MemoryStore();
    const secret = newKeyFile();
    await smallEncrypted(store, secret);
    for (const key of store.objects.keys()) if (key.startsWith("keys/")) store.objects.delete(key);
    await expect(reopenEncrypted(store, secret)).rejects.toMatchObject({
      code: "E_INTEGRITY",
      hint: expect.stringContaining("keys/"),
    });
  });
});

describe("a repository that is not what it was", () => {
  test("is refused when it is not encrypted, but a key is given", async () => {
    const store = new MemoryStore();
    await smallRepository(store);
    const refused = { code: "E_KEY_NOT_ENCRYPTED", message: expect.stringContaining(title) };
    await expect(Repository.open(store, { secret: newKeyFile(), title, signal: never })).rejects.toMatchObject(refused);
    await expect(openKeyRing(store, { secret: newKeyFile(), title, signal: never })).rejects.toMatchObject(refused);
  });

  test("is refused when its settings were replaced by plain ones", async () => {
    const store = new MemoryStore();
    const secret = newKeyFile();
    const { id, blockBytes, createdAt } = (await smallEncrypted(store, secret)).settings;
    store.objects.set(SETTINGS, encodeDocument("repository", 1, { id, blockBytes, createdAt }));
    await expect(reopenEncrypted(store, secret)).rejects.toMatchObject({ code: "E_KEY_NOT_ENCRYPTED" });
  });

  test.each(["blockBytes", "createdAt", "id", "digest"] as const)("is refused when %s was changed", async (name) => {
    const store = new MemoryStore();
    const secret = newKeyFile();
    const { settings } = await smallEncrypted(store, secret);
    const at = new Date(0).toISOString();
    const other = { blockBytes: 2048, createdAt: at, id: crypto.randomUUID(), digest: "sha-256" };
    store.objects.set(SETTINGS, encodeDocument("repository", 3, { ...settings, [name]: other[name] }));
    await expect(reopenEncrypted(store, secret)).rejects.toMatchObject({ code: "E_INTEGRITY" });
  });
});

describe("creating", () => {
  test("with SHA-256 and without encryption, it is in the form that older releases read", async () => {
    const store = new MemoryStore();
    await Repository.create(store, { digest: "sha-256", signal: never });
    expect(await keysOf(store)).toEqual([SETTINGS]);
    const written = decodeDocument("repository", 1, store.objects.get(SETTINGS) ?? new Uint8Array(), SETTINGS);
    expect(Object.keys(Object(written))).toEqual(["id", "blockBytes", "createdAt"]);
  });

  test.each([
    [1, { digest: "sha-256", encryption: { secret: newKeyFile() } }],
    [2, {}],
    [2, { encryption: { secret: newKeyFile() } }],
  ] as const)("is refused as newer by releases that know settings up to version %i: %j", async (known, options) => {
    const store = new MemoryStore();
    await Repository.create(store, { ...options, signal: never });
    const written = store.objects.get(SETTINGS) ?? new Uint8Array();
    expect(() => decodeDocument("repository", known, written, SETTINGS)).toThrow(
      expect.objectContaining({ code: "E_REPOSITORY_VERSION" }),
    );
  });

  test("stretches passphrases as much as it says", async () => {
    const store = new MemoryStore();
    const secret = RepositorySecret.passphrase("correct horse battery staple");
    await Repository.create(store, { encryption: { secret }, signal: never });
    const [key = ""] = await keysOf(store, "keys/");
    const document = decodeDocument("key", 1, store.objects.get(key) ?? new Uint8Array(), key);
    expect(document).toMatchObject({ derivation: { name: "scrypt", ...SCRYPT_COST } });
    expect(SCRYPT_COST).toEqual({ N: 2 ** 17, r: 8, p: 1 });
  });

  test("never touches a repository that is there, and leaves no key of its own", async () => {
    const store = new MemoryStore();
    await smallEncrypted(store, newKeyFile());
    const objects = new Map(store.objects);
    const encryption = { secret: newKeyFile() };
    await expect(Repository.create(store, { encryption, signal: never })).rejects.toMatchObject({ code: "E_USAGE" });
    expect(store.objects).toEqual(objects);
  });

  test("by several at once makes one repository, which opens with the secret of one of them", async () => {
    const store = new MemoryStore();
    const secrets = Array.from({ length: 5 }, newKeyFile);
    const made = await Promise.allSettled(
      secrets.map((secret) => Repository.create(store, { encryption: { secret }, signal: never })),
    );
    const opened = await Promise.allSettled(secrets.map((secret) => reopenEncrypted(store, secret)));
    expect(opened.map(({ status }) => status)).toEqual(made.map(({ status }) => status));
    expect(opened.filter(({ status }) => status === "fulfilled").length).toBe(1);
  });

  test.each([
    ["before", false],
    ["after", false],
    ["before", true],
    ["after", true],
  ] as const)("that fails %s its k-th call (for good: %s) can be done again", async (when, forGood) => {
    for (let call = 1; call <= 12; call += 1) {
      const store = new MemoryStore();
      const encryption = { secret: newKeyFile() };
      const faulty = new FaultyStore(store, { call, when, forGood, error: new Error("planned") });
      await Repository.create(faulty, { encryption, signal: never }).catch(() => undefined);
      if (!store.objects.has(SETTINGS)) await Repository.create(store, { encryption, signal: never });
      expect((await reopenEncrypted(store, encryption.secret)).damaged).toEqual([]);
    }
  });

  test("survives lost replies when calls are repeated", async () => {
    for (let call = 1; call <= 12; call += 1) {
      const store = new MemoryStore();
      const encryption = { secret: newKeyFile() };
      const faulty = new FaultyStore(store, { call, when: "after" });
      await Repository.create(retrying(faulty, { policy: { patienceMs: 60_000, firstDelayMs: 0 } }), {
        encryption,
        signal: never,
      });
      expect((await reopenEncrypted(store, encryption.secret)).damaged).toEqual([]);
    }
  });
});

test("a secret is in nothing that prints it", async () => {
  const secret = RepositorySecret.passphrase("correct horse battery staple");
  const store = new MemoryStore();
  const repository = await smallEncrypted(store, secret);
  const printed = [
    inspect(secret, { showHidden: true, depth: 9 }),
    JSON.stringify(secret),
    inspect(repository.keys, { showHidden: true, depth: 9 }),
    inspect(repository.protection, { showHidden: true, depth: 9 }),
    inspect(await Repository.open(store, { signal: never }).catch((error: unknown) => error)),
    inspect(
      await reopenEncrypted(store, RepositorySecret.passphrase("correct horse")).catch((error: unknown) => error),
    ),
  ];
  for (const text of printed) expect(text).not.toMatch(/correct|horse|636f7272656374|Y29ycmVjd/);
  expect(CHEAP.N).toBeLessThan(SCRYPT_COST.N);
});
