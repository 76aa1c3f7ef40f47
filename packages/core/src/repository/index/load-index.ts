import { lastValueFrom, reduce } from "rxjs";

import { type ObjectInfo, type ObjectStore, IntegrityError, ObjectNotFoundError } from "@ovault/contract";
import { pullInLanes } from "../../concurrency/pull-in-lanes.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { decodeIndex, MAX_INDEX_BYTES } from "./index-format.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { INDEX, isIndexKey, packNameIn, PACKS } from "../../format/layout.ts";
import type { LoadedIndex } from "./loaded-index.ts";
import type { DamagedObject } from "../../format/damaged-object.ts";
import { readPackListing } from "../packs/read-pack-listing.ts";
import type { Protection } from "../../format/protection.ts";
import { readWhole } from "../../format/read-whole.ts";

/** Index objects read at once: on an object store each wait is longer than the work. */
const LANES = 8;

/** Prune replaces index objects: when one vanished, the load lists again, but not forever on a stale listing. */
const LOOKS = 3;

/**
 * Brings `index` up to date with the index objects of the store: adds new ones, drops packs that are no longer listed.
 */
export async function loadIndex(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  signal: AbortSignal,
): Promise<void> {
  for (let look = 1; look <= LOOKS; look += 1) if (await loadListed(store, index, loaded, signal)) return;
}

/** False when an object of the listing was gone. */
async function loadListed(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  signal: AbortSignal,
): Promise<boolean> {
  // Only objects known before the listing began can be missing from it.
  const vanished = new Set(loaded.seen());
  async function* newObjects(): AsyncGenerator<ObjectInfo> {
    for await (const object of store.list(INDEX, { signal })) {
      if (!isIndexKey(object.key)) continue;
      vanished.delete(object.key);
      if (!loaded.see(object.key)) yield object;
    }
  }
  const load = (object: ObjectInfo, lane: AbortSignal): Promise<boolean> =>
    loadObject(store, index, loaded, object, lane);
  const loads = pullInLanes(newObjects(), LANES, load, signal).pipe(reduce((all, one) => all && one, true));
  const complete = await lastValueFrom(loads);
  for (const key of vanished) {
    for (const pack of loaded.delete(key)) index.packs.drop(pack);
  }
  return complete;
}

/** False when it is gone. */
async function loadObject(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  object: ObjectInfo,
  signal: AbortSignal,
): Promise<boolean> {
  const { key } = object;
  try {
    const listings = await readIndexObject(store, object, signal);
    if (loaded.see(key)) return true; // read by a concurrent load
    const packs = Uint32Array.from(listings, (listing) => index.add(listing));
    loaded.add(key, packs);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    if (!(error instanceof IntegrityError)) throw error;
    loaded.damaged.set(key, { key, error });
  }
  return true;
}

/** The packs that an index object lists. @throws IntegrityError */
export async function readIndexObject(
  store: ObjectStore,
  object: ObjectInfo,
  signal: AbortSignal,
): Promise<Iterable<PackListing>> {
  return await decodeIndex(await readWhole(store, object, MAX_INDEX_BYTES, { signal }), object.key);
}

/**
 * Reads the directories of packs that are not in the index, so that a damaged or missing index object costs time and
 * never data. Most of what it finds was left by killed runs.
 */
export async function indexUnlistedPacks(
  store: ObjectStore,
  protection: Protection,
  index: ChunkIndex,
  signal: AbortSignal,
): Promise<readonly DamagedObject[]> {
  const damaged: DamagedObject[] = [];
  for await (const pack of store.list(PACKS, { signal })) {
    try {
      const name = packNameIn(pack.key);
      if (name === undefined || index.packs.numberOf(name) !== undefined) continue;
      index.add(await readPackListing(store, protection, pack, signal));
    } catch (error) {
      if (error instanceof ObjectNotFoundError) continue; // pruned since the listing
      if (!(error instanceof IntegrityError)) throw error;
      damaged.push({ key: pack.key, error });
    }
  }
  return damaged;
}
