import type { ChunkIndex } from "../index/chunk-index.ts";
import { ChunkSet } from "./chunk-set.ts";
import type { ChunkId } from "../../format/digest.ts";

/** Pages of which every chunk was found to have a place. All are forgotten as soon as the index gives any place up. */
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
