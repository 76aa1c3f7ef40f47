import { hasCode } from "../errors/ovault-error.ts";
import { decodePage, entriesOnPage, PAGE_ENTRIES, pageCounts } from "./block-map-page.ts";
import type { ChunkId } from "./digest.ts";

export type LoadPage = (id: ChunkId, signal: AbortSignal) => Promise<Uint8Array>;

export interface OpenMapOptions {
  /** Null: the whole disk is zero. */
  readonly root: ChunkId | null;
  readonly blockCount: number;
  readonly loadPage: LoadPage;
  /** A page that cannot be read is found where it is asked for, and does not fail the opening. */
  readonly tolerant?: boolean;
  readonly signal: AbortSignal;
}

/** Leaves below a page that could not be read; `end` is the first one after them. */
interface LostLeaves {
  readonly first: number;
  readonly end: number;
  readonly error: unknown;
}

/** Leaves kept decoded. Lanes walk a disk in order, so a few are enough. */
const LEAVES_KEPT = 4;

/**
 * A block map to read from. Upper levels are in memory (32 bytes for each 1024 blocks); leaves are loaded as they are
 * asked for.
 */
export class BlockMapReader {
  readonly blockCount: number;
  readonly #leafIds: readonly (ChunkId | null)[];
  readonly #lost: readonly LostLeaves[];
  readonly #loadPage: LoadPage;
  readonly #leaves = new Map<number, Promise<readonly (ChunkId | null)[]>>();

  private constructor(
    blockCount: number,
    loadPage: LoadPage,
    { ids, lost }: { readonly ids: readonly (ChunkId | null)[]; readonly lost: readonly LostLeaves[] },
  ) {
    this.blockCount = blockCount;
    this.#loadPage = loadPage;
    this.#leafIds = ids;
    this.#lost = lost;
  }

  /** Loads the upper levels. @throws IntegrityError unless it is `tolerant` */
  static async open(options: OpenMapOptions): Promise<BlockMapReader> {
    return new BlockMapReader(options.blockCount, options.loadPage, await loadLeafIds(options));
  }

  get leafCount(): number {
    return this.#leafIds.length;
  }

  /** Number of blocks that leaf `leaf` covers. */
  blocksOfLeaf(leaf: number): number {
    return entriesOnPage(this.blockCount, leaf);
  }

  /** Null when the leaf covers nothing but zeros. @throws IntegrityError when a page above it is lost */
  leafId(leaf: number): ChunkId | null {
    const lost = this.#lost.find(({ first, end }) => leaf >= first && leaf < end);
    if (lost !== undefined) throw lost.error;
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

async function loadLeafIds({ root, blockCount, loadPage, tolerant = false, signal }: OpenMapOptions) {
  const counts = pageCounts(blockCount);
  const lost: LostLeaves[] = [];
  let ids: readonly (ChunkId | null)[] = [root];
  for (let level = counts.length - 2; level >= 1; level -= 1) {
    const total = counts[level] ?? 0;
    const below: (ChunkId | null)[] = [];
    for (const [page, id] of ids.entries()) {
      const count = entriesOnPage(total, page);
      try {
        const entries = id === null ? [] : decodePage(await loadPage(id, signal), level, count).entries;
        for (let entry = 0; entry < count; entry += 1) below.push(entries[entry] ?? null);
      } catch (error) {
        if (!tolerant || !hasCode(error, "E_INTEGRITY")) throw error;
        const leaves = PAGE_ENTRIES ** level;
        lost.push({ first: page * leaves, end: (page + 1) * leaves, error });
        for (let entry = 0; entry < count; entry += 1) below.push(null);
      }
    }
    ids = below;
  }
  return { ids, lost };
}
