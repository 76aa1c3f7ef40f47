import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import { ChunkSet } from "../repository/chunks/chunk-set.ts";
import type { ChunkId } from "../format/digest.ts";

/** Chunks of blocks that were read and match their digests. */
export class ProvedChunks {
  readonly #set: ChunkSet;
  #chunks = 0;
  #bytes = 0;

  constructor(index: ChunkIndex) {
    this.#set = new ChunkSet(index);
  }

  /** Number of distinct chunks. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Their plain bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  has(id: ChunkId): boolean {
    return this.#set.has(id);
  }

  /** Ignores chunks that the index does not know: nothing refers to them yet. */
  add(id: ChunkId, plainBytes: number): void {
    if (!this.#set.add(id)) return;
    this.#chunks += 1;
    this.#bytes += plainBytes;
  }
}
