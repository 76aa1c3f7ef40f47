import type { ChunkIndex } from "../index/chunk-index.ts";
import { ChunkSet } from "./chunk-set.ts";
import type { ChunkId } from "../../format/digest.ts";

/** Pages whose chunks all have a place. Cleared as soon as the index gives up any place. */
export class SoundPages {
  readonly #index: ChunkIndex;
  #pages: ChunkSet;
  #placesGivenUp: number;

  constructor(index: ChunkIndex) {
    this.#index = index;
    this.#pages = new ChunkSet(index);
    this.#placesGivenUp = index.placesGivenUp;
  }

  has(page: ChunkId): boolean {
    return this.#current().has(page);
  }

  add(page: ChunkId): void {
    this.#current().add(page);
  }

  #current(): ChunkSet {
    const { placesGivenUp } = this.#index;
    if (placesGivenUp !== this.#placesGivenUp) this.#pages = new ChunkSet(this.#index);
    this.#placesGivenUp = placesGivenUp;
    return this.#pages;
  }
}
