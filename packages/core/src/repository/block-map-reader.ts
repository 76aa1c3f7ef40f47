import { decodePage, entriesOnPage, PAGE_ENTRIES, pageCounts } from "./block-map-page.ts";
import type { ChunkId } from "./digest.ts";

export type LoadPage = (id: ChunkId, signal: AbortSignal) => Promise<Uint8Array>;

/** Leaves kept decoded. Lanes walk a disk in order, so a few are enough. */
const LEAVES_KEPT = 4;

/**
 * A block map to read from. Upper levels are in memory (32 bytes for each 1024 blocks); leaves are loaded as they are
 * asked for.
 */
export class BlockMapReader {
  readonly blockCount: number;
  readonly #leafIds: readonly (ChunkId | null)[];
  readonly #loadPage: LoadPage;
  readonly #leaves = new Map<number, Promise<readonly (ChunkId | null)[]>>();

  private constructor(blockCount: number, leafIds: readonly (ChunkId | null)[], loadPage: LoadPage) {
    this.blockCount = blockCount;
    this.#leafIds = leafIds;
    this.#loadPage = loadPage;
  }

  /** Loads the upper levels. `root` null: the whole disk is zero. */
  static async open(
    root: ChunkId | null,
    blockCount: number,
    loadPage: LoadPage,
    signal: AbortSignal,
  ): Promise<BlockMapReader> {
    const counts = pageCounts(blockCount);
    let ids: (ChunkId | null)[] = [root];
    for (let level = counts.length - 2; level >= 1; level -= 1) {
      const total = counts[level] ?? 0;
      const below: (ChunkId | null)[] = [];
      for (const [page, id] of ids.entries()) {
        const count = entriesOnPage(total, page);
        if (id === null) for (let entry = 0; entry < count; entry += 1) below.push(null);
        else below.push(...decodePage(await loadPage(id, signal), level, count).entries);
      }
      ids = below;
    }
    return new BlockMapReader(blockCount, ids, loadPage);
  }

  get leafCount(): number {
    return this.#leafIds.length;
  }

  /** Number of blocks that leaf `leaf` covers. */
  blocksOfLeaf(leaf: number): number {
    return entriesOnPage(this.blockCount, leaf);
  }

  leafId(leaf: number): ChunkId | null {
    return this.#leafIds[leaf] ?? null;
  }

  /** The chunks of a leaf's blocks; null is a block of zeros. */
  leaf(leaf: number, signal: AbortSignal): Promise<readonly (ChunkId | null)[]> {
    const kept = this.#leaves.get(leaf);
    if (kept !== undefined) return kept;
    const loading = this.#loadLeaf(leaf, signal);
    this.#leaves.set(leaf, loading);
    loading.catch(() => this.#leaves.delete(leaf));
    const [oldest] = this.#leaves.keys();
    if (this.#leaves.size > LEAVES_KEPT && oldest !== undefined) this.#leaves.delete(oldest);
    return loading;
  }

  async chunkOf(block: number, signal: AbortSignal): Promise<ChunkId | null> {
    const ids = await this.leaf(Math.floor(block / PAGE_ENTRIES), signal);
    return ids[block % PAGE_ENTRIES] ?? null;
  }

  async #loadLeaf(leaf: number, signal: AbortSignal): Promise<readonly (ChunkId | null)[]> {
    const id = this.leafId(leaf);
    const count = this.blocksOfLeaf(leaf);
    if (id === null) return Array.from<null>({ length: count }).fill(null);
    return decodePage(await this.#loadPage(id, signal), 0, count).entries;
  }
}
