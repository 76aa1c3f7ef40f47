import type { ObjectInfo, ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { decodeIndex, type PackListing } from "./index-format.ts";
import { INDEX, PACKS } from "./layout.ts";
import { HEADER_BYTES } from "./pack-entries.ts";
import { decodeDirectory, decodeTrailer, MAX_PACK_BYTES, TRAILER_BYTES } from "./pack-format.ts";
import type { Protection } from "./protection.ts";

/** A damaged object found while the index was loaded, with the error that tells why. */
export interface DamagedObject {
  readonly key: string;
  readonly error: unknown;
}

/** What was read of the index objects so far, so that a later look reads only what is new. */
export class LoadedIndex {
  /** Names of the packs that each whole index object lists, by its key. */
  readonly objects = new Map<string, readonly string[]>();
  readonly damaged = new Map<string, DamagedObject>();

  listedPacks(): ReadonlySet<string> {
    return new Set([...this.objects.values()].flat());
  }
}

/** Brings `index` up to the index objects of the store: adds what is new, drops the packs that are listed no more. */
export async function loadIndex(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  signal: AbortSignal,
): Promise<void> {
  const there = new Set<string>();
  for await (const { key } of store.list(INDEX, { signal })) {
    there.add(key);
    if (!loaded.objects.has(key)) await loadObject(store, index, loaded, key, signal);
  }
  const before = loaded.listedPacks();
  for (const key of loaded.objects.keys()) if (!there.has(key)) loaded.objects.delete(key);
  const now = loaded.listedPacks();
  index.drop([...before].filter((name) => !now.has(name)));
}

async function loadObject(
  store: ObjectStore,
  index: ChunkIndex,
  loaded: LoadedIndex,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const packs = await decodeIndex(await store.get(key, { signal }), key);
    for (const pack of packs) index.add(pack);
    loaded.objects.set(
      key,
      packs.map(({ name }) => name),
    );
    loaded.damaged.delete(key);
  } catch (error) {
    if (hasCode(error, "E_OBJECT_NOT_FOUND")) return; // replaced while we were listing
    if (!hasCode(error, "E_INTEGRITY")) throw error;
    loaded.damaged.set(key, { key, error });
  }
}

/**
 * Asks the packs that no whole index object lists for their own directories, so that an index object that is damaged or
 * gone costs time and never data. Most of what it finds is what killed runs left.
 */
export async function indexUnlistedPacks(
  store: ObjectStore,
  protection: Protection,
  index: ChunkIndex,
  listed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly DamagedObject[]> {
  const damaged: DamagedObject[] = [];
  for await (const pack of store.list(PACKS, { signal })) {
    if (listed.has(nameOf(pack))) continue;
    try {
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

function nameOf({ key }: ObjectInfo): string {
  return key.slice(key.lastIndexOf("/") + 1);
}
