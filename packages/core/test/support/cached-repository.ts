import { randomUUID } from "node:crypto";

import * as fc from "fast-check";

import type { ObjectInfo, ObjectStore } from "@ovault/contract";
import { IndexCache, Repository } from "@ovault/core";
import { listed, MemoryStore } from "@ovault/testkit";
import { never } from "@ovault/test-support/repository/take-point";

import { encodeDocument } from "../../src/format/document.ts";
import { encodeIndex } from "../../src/repository/index/index-format.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { indexKey, packKey, randomName, REPOSITORY_KEY } from "../../src/format/layout.ts";
import { readIndexObject } from "../../src/repository/index/load-index.ts";

const BLOCKS = 40;

export function openRepository(store: ObjectStore, indexCache?: IndexCache): Promise<Repository> {
  return Repository.open(store, { packBytes: 4096, signal: never, ...(indexCache !== undefined && { indexCache }) });
}

/** Everything the index tells about every block there may be. */
export async function placesIn({ index, protection }: Repository): Promise<string[][]> {
  const ids = await Promise.all(Array.from({ length: BLOCKS }, (_, number) => protection.chunkId(blockOf(number))));
  const textOf = ({ pack, ...facts }: ReturnType<typeof index.find>[number]): string =>
    JSON.stringify({ ...pack, ...facts });
  return ids.map((id) => index.find(id).map(textOf).toSorted());
}

/** A repository in memory with a cache of its index, and what befalls them. */
export class CachedRepository {
  readonly store: MemoryStore;
  /** What the cache had to say. */
  readonly notes: string[] = [];
  readonly directory: string;

  private constructor(directory: string, store: MemoryStore) {
    this.directory = directory;
    this.store = store;
  }

  /** The cache lies in `directory`. Copies of one repository have its id. */
  static async create(directory: string, id: string = randomUUID()): Promise<CachedRepository> {
    const store = new MemoryStore();
    const settings = { id, blockBytes: 1024, createdAt: new Date().toISOString() };
    await store.put(REPOSITORY_KEY, [encodeDocument("repository", 1, settings)], { ifAbsent: true, signal: never });
    return new CachedRepository(directory, store);
  }

  /** As another process would have it. */
  cache(): IndexCache {
    return new IndexCache(this.directory, (text) => this.notes.push(text));
  }

  async places({ cached }: { readonly cached: boolean }): Promise<string[][]> {
    const repository = await openRepository(this.store, cached ? this.cache() : undefined);
    const places = await placesIn(repository);
    await repository.close();
    return places;
  }

  /** A run of a process that has the cache or not. One that dies leaves packs that no index object lists. */
  async run(blocks: readonly number[], { cached = true, dies = false } = {}): Promise<void> {
    const repository = await openRepository(this.store, cached ? this.cache() : undefined);
    const writer = repository.writer(never);
    for (const number of blocks) {
      const block = blockOf(number);
      await writer.store("data", await writer.idOf(block), block);
    }
    if (!dies) await writer.finish();
    await writer.idle();
    await repository.close();
  }

  /** One index object in place of all, that lists the packs which are kept; the others go. */
  async prune(isKept: (pack: number) => boolean): Promise<void> {
    const old = await this.indexObjects();
    const listings = new Map<string, PackListing>();
    for (const object of old) {
      for (const listing of await readIndexObject(this.store, object, never)) listings.set(listing.name, listing);
    }
    const kept = [...listings.values()].filter((_, number) => isKept(number));
    this.store.objects.set(indexKey(randomName()), await encodeIndex(kept));
    for (const { key } of old) this.store.objects.delete(key);
    for (const listing of listings.values()) {
      if (!kept.includes(listing)) this.store.objects.delete(packKey(listing.name));
    }
  }

  indexObjects(): Promise<ObjectInfo[]> {
    return listed(this.store, "index/");
  }
}

/** Content that does not shrink, so that a pack holds four of them. */
function blockOf(number: number): Uint8Array {
  return Uint8Array.from({ length: 1024 }, (_, at) => Math.imul(at ^ (number << 12), 0x9e37_79b1) >>> 24);
}

type Event = (repository: CachedRepository) => Promise<void>;

const arbitraryRun: fc.Arbitrary<Event> = fc
  .record({
    blocks: fc.array(fc.nat(BLOCKS - 1), { maxLength: 20, size: "max" }),
    cached: fc.boolean(),
    dies: fc.nat(4).map((number) => number === 0),
  })
  .map(
    ({ blocks, ...how }) =>
      (repository) =>
        repository.run(blocks, how),
  );

const arbitraryPrune: fc.Arbitrary<Event> = fc
  .integer({ min: 1, max: 8 })
  .map((every) => (repository) => repository.prune((pack) => pack % every !== 0));

const arbitraryLoss: fc.Arbitrary<Event> = fc.nat().map((number) => async (repository) => {
  const objects = await repository.indexObjects();
  repository.store.objects.delete(objects[number % objects.length]?.key ?? "none");
});

/** As a run does whose request for a pack finds it gone. */
const arbitraryMiss: fc.Arbitrary<Event> = fc.nat().map((number) => async (repository) => {
  const opened = await openRepository(repository.store, repository.cache());
  const { packs } = opened.index;
  if (packs.length > 0) packs.drop(number % packs.length);
  const writer = opened.writer(never);
  const block = blockOf(number % BLOCKS);
  await writer.store("data", await writer.idOf(block), block);
  await writer.finish();
  await opened.close();
});

const arbitraryEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: arbitraryRun },
  { weight: 1, arbitrary: arbitraryPrune },
  { weight: 1, arbitrary: arbitraryLoss },
  { weight: 1, arbitrary: arbitraryMiss },
);

/** Mostly with a large run first, so that the cache is worth keeping when little of it goes. */
const arbitraryStart: fc.Arbitrary<Event> = fc
  .constantFrom(0, BLOCKS, BLOCKS)
  .map((blocks) => (repository) => repository.run([...Array(blocks).keys()]));

export const arbitraryEvents: fc.Arbitrary<Event[]> = fc
  .tuple(arbitraryStart, fc.array(arbitraryEvent, { minLength: 1, maxLength: 5 }))
  .map(([start, events]) => [start, ...events]);
