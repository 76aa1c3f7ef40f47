import type { CodecTable } from "../codecs/codec-table.ts";
import type { ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { toHex } from "../util/hex.ts";
import type { ChunkIndex, ChunkLocation } from "./chunk-index.ts";
import { digest, sameId, type ChunkId } from "./digest.ts";
import { packKey } from "./layout.ts";

/** Reads chunks back and never returns one that does not match its digest. */
export class ChunkReader {
  readonly #store: ObjectStore;
  readonly #index: ChunkIndex;
  readonly #codecs: CodecTable;
  readonly #completeIndex: (signal: AbortSignal) => Promise<void>;

  /** `completeIndex` is called for every chunk that the index does not know, before it counts as lost. */
  constructor(
    store: ObjectStore,
    index: ChunkIndex,
    codecs: CodecTable,
    completeIndex: (signal: AbortSignal) => Promise<void>,
  ) {
    this.#store = store;
    this.#index = index;
    this.#codecs = codecs;
    this.#completeIndex = completeIndex;
  }

  /**
   * The plain bytes of a chunk, from the first of its places that still holds them. Throws IntegrityError when none does,
   * and from then on the chunk counts as unknown, so that a backup that meets it stores it again.
   */
  async load(id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#index.entryOf(id) === undefined) await this.#completeIndex(signal);
    let failure: unknown;
    for (const place of this.#index.find(id)) {
      try {
        return await this.#loadFrom(place, id, signal);
      } catch (error) {
        if (!hasCode(error, "E_INTEGRITY")) throw error;
        failure ??= error;
      }
    }
    this.#index.markBroken(id);
    const chunk = toHex(id);
    throw failure ?? new IntegrityError(`chunk ${chunk} is in no pack of the repository`, { context: { chunk } });
  }

  async #loadFrom(place: ChunkLocation, id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const key = packKey(place.pack.name);
    const context = { chunk: toHex(id), key, offset: place.offset };
    let stored: Uint8Array;
    try {
      stored = await this.#store.get(key, { range: { offset: place.offset, length: place.storedBytes }, signal });
    } catch (error) {
      if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error;
      throw new IntegrityError(`pack ${key} is missing from the destination`, { cause: error, context });
    }
    const plain = await this.#codecs.byId(place.codec).decode(stored, place.plainBytes);
    if (sameId(await digest(plain), id)) return plain;
    throw new IntegrityError(`a chunk in ${key} does not match its digest`, {
      context,
      hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
    });
  }
}
