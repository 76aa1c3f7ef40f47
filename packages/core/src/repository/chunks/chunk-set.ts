import { BitSet } from "../../util/bit-set.ts";
import type { ChunkIndex } from "../index/chunk-index.ts";
import type { ChunkId } from "../../format/digest.ts";

/** A set of chunks that the index knows: one bit each. A chunk that the index does not know cannot be in it. */
export class ChunkSet {
  readonly #index: ChunkIndex;
  readonly #entries = new BitSet();

  constructor(index: ChunkIndex) {
    this.#index = index;
  }

  has(id: ChunkId): boolean {
    const entry = this.#index.entryOf(id);
    return entry !== undefined && this.#entries.has(entry);
  }

  /** True when it is known and was not in the set. */
  add(id: ChunkId): boolean {
    const entry = this.#index.entryOf(id);
    return entry !== undefined && this.#entries.add(entry);
  }
}
