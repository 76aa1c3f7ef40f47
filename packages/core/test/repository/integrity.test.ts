import * as fc from "fast-check";
import { expect, test } from "vitest";

import { hasCode } from "@ovault/contract";
import { Repository, verifyRepository } from "@ovault/core";
import { MemoryStore, sourceOf } from "@ovault/testkit";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

import { encodeDocument } from "../../src/format/document.ts";
import { first, second, showsDamage, takeFullAndIncrement } from "../support/full-and-increment.ts";

async function twoPoints(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await takeFullAndIncrement(await smallRepository(store, 1024));
  return store;
}

/** Each point is right, or refused as damaged; wrong bytes are never returned. */
async function damageShows(store: MemoryStore): Promise<boolean> {
  try {
    return await showsDamage(await reopen(store));
  } catch (error) {
    if (hasCode(error, "E_INTEGRITY") || hasCode(error, "E_REPOSITORY_VERSION")) return true;
    throw error;
  }
}

test("any flipped bit, in any object, is found and never returned as data", async () => {
  const origin = await twoPoints();
  const keys = [...origin.objects.keys()];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...keys),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(7),
      async (key, at, bit) => {
        const store = new MemoryStore();
        for (const [name, bytes] of origin.objects) store.objects.set(name, Uint8Array.from(bytes));
        const object = store.objects.get(key) ?? new Uint8Array();
        const position = Math.floor(at * object.byteLength);
        object[position] = (object[position] ?? 0) ^ (1 << bit);
        expect(await damageShows(store)).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
});

test("any cut or missing object is found and never returned as data", async () => {
  const origin = await twoPoints();
  const keys = [...origin.objects.keys()].filter((key) => key !== "ovault-repository");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...keys),
      fc.option(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (key, at) => {
        const store = new MemoryStore();
        for (const [name, bytes] of origin.objects) store.objects.set(name, bytes);
        const object = origin.objects.get(key) ?? new Uint8Array();
        if (at === null) store.objects.delete(key);
        else store.objects.set(key, object.slice(0, Math.floor(at * object.byteLength)));
        const lostPoint = at === null && key.startsWith("points/");
        const rebuilt = at === null && key.startsWith("index/");
        expect(lostPoint || (await damageShows(store))).toBe(!rebuilt);
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  ["damaged", (store: MemoryStore, key: string, bytes: Uint8Array) => store.objects.set(key, bytes.slice(0, 40))],
  ["missing", (store: MemoryStore, key: string) => store.objects.delete(key)],
])("index objects that are %s are rebuilt from the packs' own directories", async (_, harm) => {
  const store = await twoPoints();
  for (const [key, bytes] of store.objects) if (key.startsWith("index/")) harm(store, key, bytes);
  const repository = await reopen(store);
  const { points } = await repository.points.list(never);
  expect(points.length).toBe(2);
  const last = points.at(-1);
  if (last === undefined) throw new Error("no point");
  expect(await restoredBytes(repository, last)).toEqual(second.bytes);
});

test("a chunk that was found broken is stored again by the next backup, and from then on restores", async () => {
  const store = await twoPoints();
  for (const [key, object] of store.objects) {
    if (key.startsWith("packs/") && object[9] === 1) store.objects.set(key, object.slice(0, 20));
  }
  const repository = await reopen(store);
  const [point] = (await repository.points.list(never)).points;
  if (point === undefined) throw new Error("no point");
  expect((await verifyRepository(repository, { signal: never })).damage.length).toBeGreaterThan(0);
  await takePoint(repository, [sourceOf(first)]);
  expect(await restoredBytes(await reopen(store), point)).toEqual(first.bytes);
});

test("a whole repository verifies clean", async () => {
  const report = await verifyRepository(await reopen(await twoPoints()), { signal: never });
  expect(report.damage).toEqual([]);
  expect(report.points).toBe(2);
  expect(report.bytes).toBeGreaterThanOrEqual(first.bytes.byteLength);
});

test("one damaged manifest does not hide the other points", async () => {
  const store = await twoPoints();
  const [key] = [...store.objects.keys()].filter((name) => name.startsWith("points/"));
  store.objects.set(key ?? "", Buffer.from("garbage"));
  const { points, damaged } = await (await reopen(store)).points.list(never);
  expect(points.length).toBe(1);
  expect(damaged.map((manifest) => manifest.key)).toEqual([key]);
});

test("a destination without a repository, a second create, and a newer format are clear errors", async () => {
  const store = new MemoryStore();
  await expect(Repository.open(store, { signal: never })).rejects.toMatchObject({ code: "E_NOT_A_REPOSITORY" });
  await Repository.create(store, { signal: never });
  await expect(Repository.create(store, { signal: never })).rejects.toMatchObject({ code: "E_USAGE" });
  store.objects.set("ovault-repository", encodeDocument("repository", 4, { future: true }));
  await expect(Repository.open(store, { signal: never })).rejects.toMatchObject({ code: "E_REPOSITORY_VERSION" });
});

test.each([1000, 128 * 1024, 8 * 2 ** 20, 2 ** 20 + 512])("a block size of %i bytes is refused", async (blockBytes) => {
  await expect(Repository.create(new MemoryStore(), { blockBytes, signal: never })).rejects.toMatchObject({
    code: "E_USAGE",
  });
});
