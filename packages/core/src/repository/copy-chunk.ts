import type { ChunkWriter } from "./chunks/chunk-writer.ts";
import { packKey } from "../format/layout.ts";
import type { PackEntry } from "./packs/pack-entries.ts";
import type { PackKind } from "./packs/pack-format.ts";
import type { Repository } from "./repository.ts";
import { copyOf } from "@ovault/contract";
import { release } from "../util/release.ts";

/** A chunk as its pack's directory lists it. */
export interface ChunkToCopy {
  readonly entry: PackEntry;
  readonly kind: PackKind;
  readonly name: string;
}

/** Proves a chunk and stores it, still encoded, in a new pack. Resolves to the bytes added. @throws IntegrityError */
export async function copyChunk(
  { store, protection, chunks }: Repository,
  { entry, kind, name }: ChunkToCopy,
  writer: ChunkWriter,
  signal: AbortSignal,
): Promise<number> {
  const { id, offset, storedBytes } = entry;
  const stored = await store.get(packKey(name), { range: { offset, length: storedBytes }, signal });
  release(await chunks.unpack({ ...entry, pack: { name } }, id, copyOf(stored)));
  return await writer.storeAgain(kind, entry, await protection.packSeal(name).open(offset, stored));
}
