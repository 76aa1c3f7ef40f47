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

  /** Distinct ones. */
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

  /** What the index does not know is not counted: nothing refers to it yet. */
  add(id: ChunkId, plainBytes: number): void {
    if (!this.#set.add(id)) return;
    this.#chunks += 1;
    this.#bytes += plainBytes;
  }
}
