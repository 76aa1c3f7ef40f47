/**
 * Opens a repository of `indexRepository`, as a separate process, and prints time and memory:
 *
 *     open-index.ts TIB [CACHE]
 *
 * CACHE is a directory of cached indexes. Run with --expose-gc.
 */
import { IndexCache, Repository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import type { ChunkId } from "@ovault/core/internal/format/digest";
import { indexRepository, idsOf, objectsFor } from "../index-repository.ts";

const [tib = "1", cache] = process.argv.slice(2);
const ID_BYTES = 32;
const BATCH = 4096;
/** Number of index objects whose chunks are looked up, spread over all. */
const SAMPLES = 8;

const store = await FilesystemStore.open(await indexRepository(Number(tib)));
globalThis.gc?.();
const before = process.memoryUsage();
const started = performance.now();
const repository = await Repository.open(store, {
  ...(cache !== undefined && { indexCache: new IndexCache(cache) }),
  signal: new AbortController().signal,
});
const openS = (performance.now() - started) / 1000;
globalThis.gc?.();
const after = process.memoryUsage();
const indexMiB = (after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed) / 2 ** 20;

const objects = objectsFor(Number(tib));
const samples = Array.from({ length: SAMPLES }, (_, number) => number);
const known = samples.map((number) => Math.floor((number * objects) / SAMPLES));
const unknown = samples.map((number) => objects + number);
const figures = {
  "s to open": openS,
  "MiB of index": indexMiB,
  "MiB of index a TiB": indexMiB / Number(tib),
  "MiB more RSS": (after.rss - before.rss) / 2 ** 20,
  "hits/s": lookupsPerSecond(known, true),
  "misses/s": lookupsPerSecond(unknown, false),
};
await repository.close();
process.stdout.write(`${JSON.stringify({ figures })}\n`);

/** Looks up all chunks of these index objects. */
function lookupsPerSecond(numbers: readonly number[], expected: boolean): number {
  let lookups = 0;
  let ms = 0;
  for (const ids of batchesOf(numbers.map((number) => idsOf(number)))) {
    const since = performance.now();
    for (const id of ids) if (repository.index.has(id) !== expected) throw new Error("the index is wrong");
    ms += performance.now() - since;
    lookups += ids.length;
  }
  return (lookups / ms) * 1000;
}

/** Jumps from object to object. */
function* batchesOf(lists: readonly Uint8Array[]): Generator<ChunkId[]> {
  const total = lists.reduce((sum, list) => sum + list.byteLength / ID_BYTES, 0);
  for (let first = 0; first < total; first += BATCH) {
    yield Array.from({ length: BATCH }, (_, number) => {
      const list = lists[number % lists.length];
      const at = Math.floor((first + number) / lists.length) * ID_BYTES;
      return Uint8Array.from(list?.subarray(at, at + ID_BYTES) ?? []);
    });
  }
}
