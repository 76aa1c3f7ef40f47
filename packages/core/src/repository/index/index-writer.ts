import type { ObjectKey, ObjectStore } from "@ovault/contract";
import { encodeIndex } from "./index-format.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { indexKey, randomName } from "../../format/layout.ts";

/** Limit of chunks per index object; an interrupted run loses the index of fewer than this. */
const INDEX_CHUNKS = 64 * 1024;

export interface IndexWriterOptions {
  readonly store: ObjectStore;
  /** Called for each index object that was put. */
  readonly onPut?: (key: ObjectKey, listings: readonly PackListing[]) => void;
  readonly signal: AbortSignal;
}

/** Lists packs in index objects, as many as fit in each. */
export class IndexWriter {
  readonly #options: IndexWriterOptions;
  #listings: PackListing[] = [];
  #chunks = 0;

  constructor(options: IndexWriterOptions) {
    this.#options = options;
  }

  /** The pack must be durable. */
  async add(listing: PackListing): Promise<void> {
    this.#listings.push(listing);
    this.#chunks += listing.entries.length;
    if (this.#chunks >= INDEX_CHUNKS) await this.finish();
  }

  /** When this resolves, everything added is listed. */
  async finish(): Promise<void> {
    if (this.#listings.length === 0) return;
    const listings = this.#listings;
    this.#listings = [];
    this.#chunks = 0;
    const { store, onPut, signal } = this.#options;
    const key = indexKey(randomName());
    await store.put(key, [await encodeIndex(listings)], { ifAbsent: true, signal });
    onPut?.(key, listings);
  }
}
