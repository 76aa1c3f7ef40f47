import type { ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { decodeIndex, type PackListing } from "./index-format.ts";
import { INDEX, PACKS } from "./layout.ts";
import { decodeDirectory, decodeTrailer, HEADER_BYTES, TRAILER_BYTES } from "./pack-format.ts";

/** A damaged object found while the index was loaded, with the error that tells why. */
export interface DamagedObject {
  readonly key: string;
  readonly error: unknown;
}

export interface LoadedIndex {
  readonly damaged: readonly DamagedObject[];
  /** Names of the packs that whole index objects list. */
  readonly listed: ReadonlySet<string>;
}

/** Fills `index` from the index objects. */
export async function loadIndex(store: ObjectStore, index: ChunkIndex, signal: AbortSignal): Promise<LoadedIndex> {
  const damaged: DamagedObject[] = [];
  const listed = new Set<string>();
  for await (const { key } of store.list(INDEX, { signal })) {
    try {
      for (const pack of decodeIndex(await store.get(key, { signal }), key)) {
        listed.add(pack.name);
        index.add(pack);
      }
    } catch (error) {
      if (!hasCode(error, "E_INTEGRITY")) throw error;
      damaged.push({ key, error });
    }
  }
  return { damaged, listed };
}

/**
 * Asks the packs that no whole index object lists for their own directories, so that an index object that is damaged or
 * gone costs time and never data. Most of what it finds is what killed runs left.
 */
export async function indexUnlistedPacks(
  store: ObjectStore,
  index: ChunkIndex,
  listed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly DamagedObject[]> {
  const damaged: DamagedObject[] = [];
  for await (const { key, bytes } of store.list(PACKS, { signal })) {
    const name = key.slice(key.lastIndexOf("/") + 1);
    if (listed.has(name)) continue;
    try {
      index.add(await readPackListing(store, key, bytes, signal));
    } catch (error) {
      if (!hasCode(error, "E_INTEGRITY")) throw error;
      damaged.push({ key, error });
    }
  }
  return damaged;
}

/** A pack's own directory. Throws IntegrityError when the pack is cut or its directory damaged. */
export async function readPackListing(
  store: ObjectStore,
  key: string,
  packBytes: number,
  signal: AbortSignal,
): Promise<PackListing> {
  if (packBytes < HEADER_BYTES + TRAILER_BYTES) {
    throw new IntegrityError(`${key} is too short to be a pack`, { context: { key, packBytes } });
  }
  const read = (offset: number, length: number): Promise<Uint8Array> =>
    store.get(key, { range: { offset, length }, signal });
  const trailer = await read(packBytes - TRAILER_BYTES, TRAILER_BYTES);
  const { offset } = decodeTrailer(trailer, packBytes, key);
  const header = await read(0, HEADER_BYTES);
  const directory = await read(offset, packBytes - offset);
  const { kind, entries } = decodeDirectory(header, directory, offset, key);
  return { name: key.slice(key.lastIndexOf("/") + 1), kind, dataEnd: offset, entries };
}
