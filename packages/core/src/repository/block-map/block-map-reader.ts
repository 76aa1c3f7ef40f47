import { IntegrityError } from "@ovault/contract";
import { entriesOnPage, PAGE_ENTRIES, pageCounts, PageView } from "./block-map-page.ts";
import type { ChunkId } from "../../format/digest.ts";

export type LoadPage = (id: ChunkId, signal: AbortSignal) => Promise<Uint8Array>;

export interface OpenMapOptions {
  /** Null for a disk of zeros. */
  readonly root: ChunkId | null;
  readonly blockCount: number;
  readonly loadPage: LoadPage;
  /** An unreadable page fails the read that asks for it, not the opening. */
  readonly tolerant?: boolean;
  /** Number of leaves kept in memory, up to 33 KiB each. A walk in order needs only a few. */
  readonly leavesKept?: number;
  readonly signal: AbortSignal;
}

/** Leaves below an unreadable page; `end` is the first leaf after them. */
interface LostLeaves {
  readonly first: number;
  readonly end: number;
  readonly error: unknown;
}

/** Lanes walk a disk in order. */
const LEAVES_KEPT = 4;

/** Reads a block map. Upper levels are in memory (32 bytes for each 1024 blocks); leaves are loaded on demand. */
export class BlockMapReader {
  readonly blockCount: number;
  readonly #leafIds: readonly (ChunkId | null)[];
  readonly #lost: readonly LostLeaves[];
  readonly #loadPage: LoadPage;
  readonly #leavesKept: number;
  /** The most recently used comes last. Undefined: zeros only. */
  readonly #leaves = new Map<number, Promise<PageView | undefined>>();

  private constructor(
    { blockCount, loadPage, leavesKept = LEAVES_KEPT }: OpenMapOptions,
    { ids, lost }: { readonly ids: readonly (ChunkId | null)[]; readonly lost: readonly LostLeaves[] },
  ) {
    this.blockCount = blockCount;
    this.#loadPage = loadPage;
    this.#leavesKept = leavesKept;
    this.#leafIds = ids;
    this.#lost = lost;
  }

  /** Loads the upper levels. @throws IntegrityError unless `tolerant` */
  static async open(options: OpenMapOptions): Promise<BlockMapReader> {
    return new BlockMapReader(options, await loadLeafIds(options));
  }

  get leafCount(): number {
    return this.#leafIds.length;
  }

  /** Number of blocks that leaf `leaf` covers. */
  blocksOfLeaf(leaf: number): number {
    return entriesOnPage(this.blockCount, leaf);
  }

  /** Null when the leaf covers only zeros. @throws IntegrityError when a page above it is lost */
  leafId(leaf: number): ChunkId | null {
    const lost = this.#lost.find(({ first, end }) => leaf >= first && leaf < end);
    if (lost !== undefined) throw lost.error;
    return this.#leafIds[leaf] ?? null;
  }

  /** The chunks of a leaf's blocks; null for a block of zeros. */
  async leaf(leaf: number, signal: AbortSignal): Promise<readonly (ChunkId | null)[]> {
    const page = await this.#page(leaf, signal);
    return page?.entries() ?? Array.from<null>({ length: this.blocksOfLeaf(leaf) }).fill(null);
  }

  async chunkOf(block: number, signal: AbortSignal): Promise<ChunkId | null> {
    const page = await this.#page(Math.floor(block / PAGE_ENTRIES), signal);
    return page?.entry(block % PAGE_ENTRIES) ?? null;
  }

  #page(leaf: number, signal: AbortSignal): Promise<PageView | undefined> {
    const kept = this.#leaves.get(leaf);
    if (kept !== undefined) {
      this.#leaves.delete(leaf);
      this.#leaves.set(leaf, kept);
      return kept;
    }
    const loading = this.#loadLeaf(leaf, signal);
    this.#leaves.set(leaf, loading);
    loading.catch(() => this.#leaves.get(leaf) === loading && this.#leaves.delete(leaf));
    const [oldest] = this.#leaves.keys();
    if (this.#leaves.size > this.#leavesKept && oldest !== undefined) this.#leaves.delete(oldest);
    return loading;
  }

  async #loadLeaf(leaf: number, signal: AbortSignal): Promise<PageView | undefined> {
    const id = this.leafId(leaf);
    return id === null ? undefined : new PageView(await this.#loadPage(id, signal), 0, this.blocksOfLeaf(leaf));
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
        const loaded = id === null ? undefined : new PageView(await loadPage(id, signal), level, count);
        for (let entry = 0; entry < count; entry += 1) below.push(loaded?.entry(entry) ?? null);
      } catch (error) {
        if (!tolerant || !(error instanceof IntegrityError)) throw error;
        const leaves = PAGE_ENTRIES ** level;
        lost.push({ first: page * leaves, end: (page + 1) * leaves, error });
        for (let entry = 0; entry < count; entry += 1) below.push(null);
      }
    }
    ids = below;
  }
  return { ids, lost };
}
