import { IntegrityError } from "@ovault/contract";
import { PAGE_ENTRIES } from "./block-map-page.ts";
import type { BlockMapReader } from "./block-map-reader.ts";
import type { ChunkId } from "../../format/digest.ts";

/** What a block map says about the blocks from `first` on. */
export type MapLeaf =
  | { readonly kind: "zero"; readonly first: number; readonly count: number }
  /** Null for a block of zeros. */
  | {
      readonly kind: "blocks";
      readonly first: number;
      readonly count: number;
      readonly page: ChunkId;
      readonly ids: readonly (ChunkId | null)[];
    }
  /** Its page cannot be read; the error says why. */
  | { readonly kind: "lost"; readonly first: number; readonly count: number; readonly error: unknown };

/** Yields leaf by leaf, in order; skips, without reading, those whose page `skip` has. Throws no IntegrityError. */
export async function* leavesOf(
  map: BlockMapReader,
  signal: AbortSignal,
  skip: (page: ChunkId) => boolean = () => false,
): AsyncGenerator<MapLeaf> {
  for (let leaf = 0; leaf < map.leafCount; leaf += 1) {
    const part = await readLeaf(map, leaf, signal, skip);
    if (part !== undefined) yield part;
  }
}

/** Reads one leaf; undefined when `skip` has its page. Throws no IntegrityError. */
export async function readLeaf(
  map: BlockMapReader,
  leaf: number,
  signal: AbortSignal,
  skip: (page: ChunkId) => boolean = () => false,
): Promise<MapLeaf | undefined> {
  const blocks = { first: leaf * PAGE_ENTRIES, count: map.blocksOfLeaf(leaf) };
  try {
    const page = map.leafId(leaf);
    if (page === null) return { kind: "zero", ...blocks };
    return skip(page) ? undefined : { kind: "blocks", ...blocks, page, ids: await map.leaf(leaf, signal) };
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return { kind: "lost", ...blocks, error };
  }
}
