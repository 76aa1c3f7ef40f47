import type { CodecTable } from "../codecs/codec-table.ts";
import type { ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { toHex } from "../util/hex.ts";
import { release } from "../util/release.ts";
import type { ChunkIndex, ChunkLocation } from "./chunk-index.ts";
import { sameId, type ChunkId } from "./digest.ts";
import { packKey } from "./layout.ts";
import type { Protection } from "./protection.ts";

export interface ChunkReaderOptions {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly codecs: CodecTable;
  readonly protection: Protection;
  /** Called for every place that did not hold its chunk. */
  readonly onBadPlace: (id: ChunkId, packName: string) => void;
  /**
   * Called when no place that the index knows holds a chunk, with the packs that were not there: brings the index up to
   * what the store has now.
   */
  readonly catchUp: (missingPacks: readonly string[], signal: AbortSignal) => Promise<void>;
}

/** As much of a ChunkLocation as reading needs. */
export type ChunkPlace = Omit<ChunkLocation, "pack"> & { readonly pack: { readonly name: string } };

/** What became of the places of one chunk. */
interface Search {
  readonly id: ChunkId;
  /** Names of packs. */
  readonly tried: Set<string>;
  readonly missing: string[];
  failure: unknown;
}

/** Reads chunks back and never returns one that does not match its digest. */
export class ChunkReader {
  readonly #options: ChunkReaderOptions;

  constructor(options: ChunkReaderOptions) {
    this.#options = options;
  }

  /**
   * The plain bytes of a chunk, from the first of its places that still holds them; they are the caller's. Throws
   * IntegrityError when none does, and from then on the chunk counts as unknown, so that a backup that meets it stores it again.
   */
  async load(id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const { index } = this.#options;
    const search: Search = { id, tried: new Set(), missing: [], failure: undefined };
    const found = await this.#tryPlaces(index.find(id), search, signal);
    if (found !== undefined) return found;
    if (search.tried.size === 0 || search.missing.length > 0) {
      // Not yet known, or moved to another pack since the index was read.
      await this.#options.catchUp(search.missing, signal);
      const moved = await this.#tryPlaces(index.find(id), search, signal);
      if (moved !== undefined) return moved;
    }
    const chunk = toHex(id);
    throw (
      search.failure ?? new IntegrityError(`chunk ${chunk} is in no pack of the repository`, { context: { chunk } })
    );
  }

  async #tryPlaces(
    places: readonly ChunkLocation[],
    search: Search,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    for (const place of places) {
      const { name } = place.pack;
      if (search.tried.has(name)) continue;
      search.tried.add(name);
      try {
        return await this.loadFrom(place, search.id, signal);
      } catch (error) {
        if (!hasCode(error, "E_INTEGRITY")) throw error;
        this.#options.onBadPlace(search.id, name);
        if (hasCode(error.cause, "E_OBJECT_NOT_FOUND")) search.missing.push(name);
        search.failure ??= error;
      }
    }
    return undefined;
  }

  /** The plain bytes of a chunk from this place alone. @throws IntegrityError */
  async loadFrom(place: ChunkPlace, id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const key = packKey(place.pack.name);
    try {
      const range = { offset: place.offset, length: place.storedBytes };
      const stored = await this.#options.store.get(key, { range, signal });
      const plain = await this.unpack(place, id, stored);
      if (plain.buffer !== stored.buffer) release(stored);
      return plain;
    } catch (error) {
      if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error;
      throw new IntegrityError(`pack ${key} is missing from the destination`, {
        cause: error,
        context: { chunk: toHex(id), key },
      });
    }
  }

  /**
   * The plain bytes of a chunk from what lies in its place; they may lie in `stored`.
   * @throws IntegrityError when that is not what was stored.
   */
  async unpack(place: ChunkPlace, id: ChunkId, stored: Uint8Array): Promise<Uint8Array> {
    const { codecs, protection } = this.#options;
    const encoded = await protection.packSeal(place.pack.name).open(place.offset, stored);
    const plain = await codecs.byId(place.codec).decode(encoded, place.plainBytes);
    if (encoded.buffer !== plain.buffer && encoded.buffer !== stored.buffer) release(encoded);
    if (sameId(await protection.chunkId(plain), id)) return plain;
    const key = packKey(place.pack.name);
    throw new IntegrityError(`a chunk in ${key} does not match its digest`, {
      context: { chunk: toHex(id), key, offset: place.offset },
      hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
    });
  }
}
