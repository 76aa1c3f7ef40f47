import type { ChunkIndex } from "../repository/chunk-index.ts";
import type { ChunkId } from "../repository/digest.ts";
import { BitSet } from "../util/bit-set.ts";

/** Chunks of blocks that were read and match their digests: one bit each. */
export class ProvedChunks {
  readonly #index: ChunkIndex;
  readonly #entries = new BitSet();
  #chunks = 0;
  #bytes = 0;

  constructor(index: ChunkIndex) {
    this.#index = index;
  }

  /** Distinct ones. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Their plain bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  has(id: ChunkId): boolean {
    const entry = this.#index.entryOf(id);
    return entry !== undefined && this.#entries.has(entry);
  }

  /** What the index does not know is not counted: nothing refers to it yet. */
  add(id: ChunkId, plainBytes: number): void {
    const entry = this.#index.entryOf(id);
    if (entry === undefined || !this.#entries.add(entry)) return;
    this.#chunks += 1;
    this.#bytes += plainBytes;
  }
}
