import * as fc from "fast-check";
import { expect, test } from "vitest";

import { InterceptedStore, MemoryStore, type StoreCall } from "@ovault/testkit";
import { never } from "@ovault/test-support/repository/take-point";

import { ChunkIndex } from "../../src/repository/index/chunk-index.ts";
import { encodeIndex } from "../../src/repository/index/index-format.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { loadIndex } from "../../src/repository/index/load-index.ts";
import { LoadedIndex } from "../../src/repository/index/loaded-index.ts";
import { HEADER_BYTES, PackEntries } from "../../src/repository/packs/pack-entries.ts";
import { alikeIds, packName } from "../support/index-model.ts";

const ids = alikeIds(9);
/** Pack n holds chunk n and the three after it. */
const packs: readonly PackListing[] = ids.map((_, number) => {
  const entries = [0, 1, 2, 3].map((at) => ({
    id: ids[(number + at) % ids.length] ?? new Uint8Array(32),
    offset: HEADER_BYTES + at,
    storedBytes: 1,
    plainBytes: 1,
    codec: 0,
  }));
  return { name: packName(number), kind: "data", dataEnd: HEADER_BYTES + 4, entries: PackEntries.of(entries) };
});

const keyOf = (object: number): string => `index/${String(object).padStart(32, "0")}`;

async function putIndex(store: MemoryStore, object: number, listed: readonly PackListing[]): Promise<void> {
  store.objects.set(keyOf(object), await encodeIndex(listed));
}

/** Names of the packs in which the index finds each chunk. */
function placesIn(index: ChunkIndex): string[][] {
  return ids.map((id) =>
    index
      .find(id)
      .map(({ pack }) => pack.name)
      .toSorted(),
  );
}

function expectedPlaces(listed: readonly PackListing[]): string[][] {
  return ids.map((id) =>
    listed
      .filter((pack) => holds(pack, id))
      .map(({ name }) => name)
      .toSorted(),
  );
}

function holds(pack: PackListing, id: Uint8Array): boolean {
  return [...pack.entries].some((entry) => Buffer.compare(entry.id, id) === 0);
}

type Change = { readonly put: readonly PackListing[] } | { readonly remove: number } | { readonly damage: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.subarray([...packs]).map((put) => ({ put })),
  fc.nat().map((remove) => ({ remove })),
  fc.nat().map((damage) => ({ damage })),
);

/** A store of index objects, and what the whole ones list. */
class ModelStore extends MemoryStore {
  readonly whole = new Map<string, readonly PackListing[]>();
  #puts = 0;

  /** Damage hits objects that `isKnown` has not seen: what was read once is believed. */
  async apply(made: Change, isKnown: (key: string) => boolean): Promise<void> {
    if ("put" in made) {
      this.#puts += 1;
      await putIndex(this, this.#puts, made.put);
      this.whole.set(keyOf(this.#puts), made.put);
      return;
    }
    const keys = [...this.whole.keys()];
    const key = keys[("remove" in made ? made.remove : made.damage) % keys.length];
    if (key === undefined || ("damage" in made && isKnown(key))) return;
    if ("remove" in made) this.objects.delete(key);
    else this.objects.set(key, Buffer.from("damaged"));
    this.whole.delete(key);
  }

  damaged(): string[] {
    return [...this.objects.keys()].filter((key) => !this.whole.has(key)).toSorted();
  }
}

test("after any changes of index objects the index knows the packs of those that are there and whole", async () => {
  const rounds = fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(rounds, fc.integer({ min: 1, max: 3 }), async (changesOfRounds, atOnce) => {
      const store = new ModelStore();
      const index = new ChunkIndex();
      const loaded = new LoadedIndex();
      for (const changes of changesOfRounds) {
        for (const made of changes) await store.apply(made, (key) => loaded.objects.has(key));
        await Promise.all(Array.from({ length: atOnce }, () => loadIndex(store, index, loaded, never)));
        expect(placesIn(index)).toEqual(expectedPlaces([...new Set([...store.whole.values()].flat())]));
        expect([...loaded.damaged.keys()].toSorted()).toEqual(store.damaged());
      }
    }),
  );
});

test("index objects are read several at once, and no more than a few", async () => {
  const inner = new MemoryStore();
  const count = 40;
  for (let object = 0; object < count; object += 1) await putIndex(inner, object, packs.slice(0, 1));
  let answered = 0;
  let waiting: (() => void)[] = [];
  let most = 0;
  class Gathering extends InterceptedStore {
    protected override async intercept<T>(call: StoreCall, work: () => Promise<T>): Promise<T> {
      if (call.kind !== "get") return await work();
      // No request is answered before eight are open, or all that are left.
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      most = Math.max(most, waiting.length);
      if (waiting.length >= Math.min(8, count - answered)) {
        answered += waiting.length;
        for (const answer of waiting) answer();
        waiting = [];
      }
      await promise;
      return await work();
    }
  }
  const index = new ChunkIndex();
  await loadIndex(new Gathering(inner), index, new LoadedIndex(), never);
  expect(most).toBe(8);
  expect(placesIn(index)).toEqual(expectedPlaces(packs.slice(0, 1)));
});

test("an object that this process has put is kept until a listing has shown it, and not read", async () => {
  const store = new MemoryStore();
  const index = new ChunkIndex();
  const loaded = new LoadedIndex();
  const packNumbers = (listed: readonly PackListing[]) => Uint32Array.from(listed, (listing) => index.add(listing));
  loaded.addOwn(keyOf(1), packNumbers(packs.slice(0, 2)));
  await loadIndex(store, index, loaded, never);
  expect(placesIn(index)).toEqual(expectedPlaces(packs.slice(0, 2)));
  // Would be damaged, were it read.
  store.objects.set(keyOf(1), Buffer.from("not looked at"));
  await loadIndex(store, index, loaded, never);
  expect([...loaded.damaged]).toEqual([]);
  expect(placesIn(index)).toEqual(expectedPlaces(packs.slice(0, 2)));
  store.objects.delete(keyOf(1));
  await loadIndex(store, index, loaded, never);
  expect(placesIn(index)).toEqual(expectedPlaces([]));
});
