import { encodePage, entriesOnPage, PAGE_ENTRIES, pageCounts } from "./block-map-page.ts";
import type { BlockMapReader } from "./block-map-reader.ts";
import type { ChunkId } from "../../format/digest.ts";

/** Stores a page and answers its id. */
export type StorePage = (page: Uint8Array) => Promise<ChunkId>;

interface OpenLeaf {
  readonly entries: (ChunkId | null)[];
  missing: number;
  /** So far only unchanged blocks. */
  untouched: boolean;
}

/**
 * Builds the block map of one disk while lanes finish blocks in any order. It stores a leaf as soon as all its blocks
 * are known, so memory holds the few leaves that lanes are in, plus 32 bytes per stored leaf. A leaf that is unchanged
 * as a whole is taken over from the base without being read.
 */
export class BlockMapWriter {
  readonly blockCount: number;
  readonly #storePage: StorePage;
  readonly #base: BlockMapReader | undefined;
  readonly #open = new Map<number, OpenLeaf>();
  readonly #leafIds: (ChunkId | null)[];
  #leavesLeft: number;

  constructor(blockCount: number, storePage: StorePage, base?: BlockMapReader) {
    this.blockCount = blockCount;
    this.#storePage = storePage;
    this.#base = base;
    this.#leavesLeft = Math.ceil(blockCount / PAGE_ENTRIES);
    this.#leafIds = Array.from<null>({ length: this.#leavesLeft }).fill(null);
  }

  /** Sets the chunk of one block; null for zeros. Call it once per block. */
  async set(block: number, id: ChunkId | null): Promise<void> {
    const leaf = Math.floor(block / PAGE_ENTRIES);
    const open = this.#openLeaf(leaf);
    open.untouched = false;
    open.entries[block % PAGE_ENTRIES] = id;
    open.missing -= 1;
    await this.#finishLeaf(leaf, open);
  }

  /** Sets a run of blocks to zeros, or to what the base has. */
  async fill(first: number, count: number, kind: "zero" | "unchanged", signal: AbortSignal): Promise<void> {
    for (let block = first; block < first + count;) {
      const leaf = Math.floor(block / PAGE_ENTRIES);
      const start = block % PAGE_ENTRIES;
      const end = Math.min(start + first + count - block, entriesOnPage(this.blockCount, leaf));
      const whole = end - start === entriesOnPage(this.blockCount, leaf);
      if (whole && kind === "zero") this.#settleLeaf(leaf, null);
      else if (whole && this.#base?.blocksOfLeaf(leaf) === end) this.#settleLeaf(leaf, this.#base.leafId(leaf));
      else await this.#fillPart(leaf, start, end, kind, signal);
      block += end - start;
    }
  }

  /** Stores the upper levels. Resolves to the id of the root, or null for a disk of zeros. */
  async finish(): Promise<ChunkId | null> {
    if (this.#leavesLeft > 0) throw new RangeError(`${this.#leavesLeft} leaves of the block map are not complete`);
    let ids: readonly (ChunkId | null)[] = this.#leafIds;
    for (let level = 1; level < pageCounts(this.blockCount).length - 1; level += 1) {
      const above: (ChunkId | null)[] = [];
      for (let page = 0; page * PAGE_ENTRIES < ids.length; page += 1) {
        above.push(await this.#store(level, ids.slice(page * PAGE_ENTRIES, (page + 1) * PAGE_ENTRIES)));
      }
      ids = above;
    }
    return ids[0] ?? null;
  }

  async #fillPart(leaf: number, start: number, end: number, kind: "zero" | "unchanged", signal: AbortSignal) {
    const base = kind === "unchanged" ? await this.#base?.leaf(leaf, signal) : undefined;
    const open = this.#openLeaf(leaf);
    for (let entry = start; entry < end; entry += 1) open.entries[entry] = base?.[entry] ?? null;
    if (kind === "zero") open.untouched = false;
    open.missing -= end - start;
    await this.#finishLeaf(leaf, open);
  }

  #openLeaf(leaf: number): OpenLeaf {
    let open = this.#open.get(leaf);
    if (open === undefined) {
      const count = entriesOnPage(this.blockCount, leaf);
      open = { entries: Array.from<null>({ length: count }).fill(null), missing: count, untouched: true };
      this.#open.set(leaf, open);
    }
    return open;
  }

  async #finishLeaf(leaf: number, open: OpenLeaf): Promise<void> {
    if (open.missing > 0) return;
    this.#open.delete(leaf);
    const same = open.untouched && this.#base?.blocksOfLeaf(leaf) === open.entries.length;
    this.#settleLeaf(leaf, same ? (this.#base?.leafId(leaf) ?? null) : await this.#store(0, open.entries));
  }

  #settleLeaf(leaf: number, id: ChunkId | null): void {
    this.#leafIds[leaf] = id;
    this.#leavesLeft -= 1;
  }

  async #store(level: number, entries: readonly (ChunkId | null)[]): Promise<ChunkId | null> {
    if (entries.every((entry) => entry === null)) return null;
    return await this.#storePage(encodePage({ level, entries }));
  }
}
