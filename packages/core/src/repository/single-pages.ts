import type { ChunkIndex } from "./index/chunk-index.ts";
import { ChunkSet } from "./chunks/chunk-set.ts";
import type { ChunkId } from "../format/digest.ts";
import { COPIES } from "./packs/pack-format.ts";

/** Counts pages of block maps that have fewer copies than they should: one was lost, or an earlier release wrote them. */
export class SinglePages {
  readonly #index: ChunkIndex;
  readonly #pages: ChunkSet;
  #count = 0;

  constructor(index: ChunkIndex) {
    this.#index = index;
    this.#pages = new ChunkSet(index);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a page that was read. True when it has too few copies and was not counted before. */
  see(page: ChunkId): boolean {
    if (this.#index.copiesOf(page) >= COPIES.pages || !this.#pages.add(page)) return false;
    this.#count += 1;
    return true;
  }
}
