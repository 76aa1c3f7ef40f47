import { lastValueFrom } from "rxjs";

import type { ObjectInfo, ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { pullInLanes } from "../pipeline/pull-in-lanes.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { decodeIndex, type PackListing } from "./index-format.ts";
import { INDEX, PACKS } from "./layout.ts";
import type { DamagedObject, LoadedIndex } from "./loaded-index.ts";
import { HEADER_BYTES } from "./pack-entries.ts";
import { decodeDirectory, decodeTrailer, MAX_PACK_BYTES, TRAILER_BYTES } from "./pack-format.ts";
import type { Protection } from "./protection.ts";

const PACK_KEY = /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{30})$/;

/** Index objects read at once: on an object store the wait for each is longer than the work. */
const LANES = 8;
/** No store is asked to hold a larger object: one that claims to be is damage or an attack. */
const MAX_INDEX_BYTES = 128 * 1024 * 1024;

/** Brings `index` up to the index objects of the store: adds what is new, drops the packs that are listed no more. */
export async function loadIndex(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  signal: AbortSignal,
): Promise<void> {
  // Only what was known before the listing began can be missing from it.
  const vanished = new Set([...loaded.keys(), ...loaded.damaged.keys()]);
  async function* newObjects(): AsyncGenerator<ObjectInfo> {
    for await (const object of store.list(INDEX, { signal })) {
      vanished.delete(object.key);
      if (!loaded.has(object.key)) yield object;
    }
  }
  const load = (object: ObjectInfo, lane: AbortSignal): Promise<void> => loadObject(store, index, loaded, object, lane);
  await lastValueFrom(pullInLanes(newObjects(), LANES, load, signal), { defaultValue: undefined });
  for (const key of vanished) {
    for (const pack of loaded.delete(key)) index.packs.drop(pack);
    loaded.damaged.delete(key);
  }
}

async function loadObject(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  object: ObjectInfo,
  signal: AbortSignal,
): Promise<void> {
  const { key } = object;
  try {
    const listings = await readIndexObject(store, object, signal);
    if (loaded.has(key)) return; // by somebody who looked at the same time
    loaded.add(
      key,
      Uint32Array.from(listings, (listing) => index.add(listing)),
    );
    loaded.damaged.delete(key);
  } catch (error) {
    if (hasCode(error, "E_OBJECT_NOT_FOUND")) return; // replaced while we were listing
    if (!hasCode(error, "E_INTEGRITY")) throw error;
    loaded.damaged.set(key, { key, error });
  }
}

/** The packs that an index object lists. @throws IntegrityError */
export async function readIndexObject(
  store: ObjectStore,
  { key, bytes }: ObjectInfo,
  signal: AbortSignal,
): Promise<PackListing[]> {
  if (bytes > MAX_INDEX_BYTES) {
    throw new IntegrityError(`${key} is too large to be an index object`, { context: { key, bytes } });
  }
  return await decodeIndex(await store.get(key, { signal }), key);
}

/**
 * Asks the packs that are not in the index for their own directories, so that an index object that is damaged or
 * gone costs time and never data. Most of what it finds is what killed runs left.
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
      if (index.packs.numberOf(nameOf(pack)) !== undefined) continue;
      index.add(await readPackListing(store, protection, pack, signal));
    } catch (error) {
      if (hasCode(error, "E_OBJECT_NOT_FOUND")) continue; // pruned while we were listing
      if (!hasCode(error, "E_INTEGRITY")) throw error;
      damaged.push({ key: pack.key, error });
    }
  }
  return damaged;
}

/** A pack's own directory. Throws IntegrityError when the pack is cut or its directory damaged. */
export async function readPackListing(
  store: ObjectStore,
  protection: Protection,
  pack: ObjectInfo,
  signal: AbortSignal,
): Promise<PackListing> {
  const { key, bytes: packBytes } = pack;
  assertPackSize(pack);
  const name = nameOf(pack);
  const seal = protection.packSeal(name);
  const read = (offset: number, length: number): Promise<Uint8Array> =>
    store.get(key, { range: { offset, length }, signal });
  const trailer = await read(packBytes - TRAILER_BYTES, TRAILER_BYTES);
  const offset = decodeTrailer(seal, trailer, packBytes, key);
  const header = await read(0, HEADER_BYTES);
  const stored = await read(offset, packBytes - offset);
  const { kind, entries } = await decodeDirectory(seal, header, { offset, stored, key });
  return { name, kind, dataEnd: offset, entries };
}

/** Before anything of that size is read. @throws IntegrityError */
export function assertPackSize({ key, bytes }: ObjectInfo): void {
  if (bytes >= HEADER_BYTES + TRAILER_BYTES && bytes <= MAX_PACK_BYTES) return;
  const what = bytes > MAX_PACK_BYTES ? "too large" : "too short";
  throw new IntegrityError(`${key} is ${what} to be a pack`, { context: { key, bytes } });
}

/** @throws IntegrityError when no pack can lie there. */
function nameOf({ key }: ObjectInfo): string {
  const name = PACK_KEY.exec(key)?.[2];
  if (name === undefined) throw new IntegrityError(`${key} is not the name of a pack`, { context: { key } });
  return name;
}
