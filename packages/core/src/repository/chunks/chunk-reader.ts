import type { CodecTable } from "../../blocks/codecs/codec-table.ts";
import { type ObjectStore, IntegrityError, ObjectNotFoundError } from "@ovault/contract";
import { toHex } from "../../util/hex.ts";
import type { ChunkIndex, ChunkLocation } from "../index/chunk-index.ts";
import { ChunkUnpacker, type Unpacked } from "./chunk-unpacker.ts";
import type { ChunkId } from "../../format/digest.ts";
import { packKey } from "../../format/layout.ts";
import type { PackEntry } from "../packs/pack-entries.ts";
import type { Protection } from "../../format/protection.ts";
import { type PlacedChunk, type ReadRange, readRanges } from "./read-ranges.ts";

export interface ChunkReaderOptions {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly codecs: CodecTable;
  readonly protection: Protection;
  /** Called for every place that did not hold its chunk. */
  readonly onBadPlace: (id: ChunkId, packName: string) => void;
  /**
   * Called when no place that the index knows holds a chunk, with the packs that were missing: brings the index up to
   * date with the store.
   */
  readonly catchUp: (missingPacks: readonly string[], signal: AbortSignal) => Promise<void>;
}

/** The part of a ChunkLocation that reading needs. */
export type ChunkPlace = Omit<ChunkLocation, "pack"> & { readonly pack: { readonly name: string } };

/**
 * Destination for the plain bytes of the chunk of that number: exactly `plainBytes` of shared memory; undefined when
 * there is no room for it.
 */
export type RoomFor = (number: number, plainBytes: number) => Uint8Array | undefined;

/** Places chunks one after the other in `room`, as many as it holds. */
export function roomsIn(room: Uint8Array): RoomFor {
  let used = 0;
  return (_number, plainBytes) => {
    if (used + plainBytes > room.byteLength) return undefined;
    return room.subarray(used, (used += plainBytes));
  };
}

/** What was found at the places of one chunk. */
interface Search {
  readonly id: ChunkId;
  /** Names of packs. */
  readonly tried: Set<string>;
  readonly missing: string[];
  failure: unknown;
}

const NOWHERE = new Uint8Array();

/** Reads chunks back and never returns one that does not match its digest. */
export class ChunkReader {
  readonly unpacker: ChunkUnpacker;
  readonly #options: ChunkReaderOptions;

  constructor(options: ChunkReaderOptions) {
    this.#options = options;
    this.unpacker = new ChunkUnpacker(options);
  }

  /**
   * The plain bytes of a chunk, from the first of its places that still holds them; they belong to the caller.
   * @throws IntegrityError when none does; from then on the chunk counts as unknown, so that a backup that meets it
   * stores it again
   */
  async load(id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const { index } = this.#options;
    const search: Search = { id, tried: new Set(), missing: [], failure: undefined };
    const found = await this.#tryPlaces(index.find(id), search, signal);
    if (found !== undefined) return found;
    if (search.tried.size === 0 || search.missing.length > 0) {
      // Not known yet, or moved to another pack since the index was read.
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
        if (!(error instanceof IntegrityError)) throw error;
        this.#options.onBadPlace(search.id, name);
        if (error.cause instanceof ObjectNotFoundError) search.missing.push(name);
        search.failure ??= error;
      }
    }
    return undefined;
  }

  /**
   * The same for many chunks, with one request for neighbours. Undefined for each that was missing or damaged where the
   * index placed it, or for which there is no room: `load` then tries its other places.
   */
  async loadTogether(
    ids: readonly ChunkId[],
    roomFor: RoomFor,
    signal: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const rooms = new Map<PackEntry, Uint8Array>();
    const chunks = ids.flatMap((id, number): PlacedChunk[] => {
      const [place] = this.#options.index.find(id);
      const room = place && roomFor(number, place.plainBytes);
      if (place === undefined || room === undefined) return [];
      const entry = { ...place, id };
      rooms.set(entry, room);
      return [{ pack: place.pack.name, entry }];
    });
    const found = new Map<ChunkId, Uint8Array>();
    for (const range of readRanges(chunks)) {
      const places = range.entries.map((entry) => rooms.get(entry) ?? NOWHERE);
      const answers = await this.#readRange(range, places, signal);
      for (const [number, answer] of answers.entries()) {
        const entry = range.entries[number];
        if (entry !== undefined && answer.proved) found.set(entry.id, answer.plain);
      }
    }
    return ids.map((id) => found.get(id));
  }

  /** The plain bytes of a chunk from this place only. @throws IntegrityError */
  async loadFrom(place: ChunkPlace, id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const { pack, offset, storedBytes: length } = place;
    const stored = await this.#read({ pack: pack.name, offset, length }, signal);
    return await this.unpack(place, id, stored);
  }

  /**
   * The plain bytes of a chunk from the stored bytes of its place, which are consumed.
   * @throws IntegrityError when they are not what was stored
   */
  async unpack({ pack, ...place }: ChunkPlace, id: ChunkId, stored: Uint8Array): Promise<Uint8Array> {
    const part = { pack: pack.name, offset: place.offset, stored };
    const [answer] = await this.unpacker.unpack(part, [{ ...place, id }], "plain");
    if (answer?.proved === true) return answer.plain;
    throw answer?.error ?? new IntegrityError("a chunk was asked for and not answered");
  }

  /** Empty for a range that cannot be read. */
  async #readRange(range: ReadRange, places: readonly Uint8Array[], signal: AbortSignal): Promise<readonly Unpacked[]> {
    const { pack, offset, entries } = range;
    try {
      const stored = await this.#read(range, signal);
      return await this.unpacker.unpack({ pack, offset, stored }, entries, (number) => places[number] ?? NOWHERE);
    } catch (error) {
      if (error instanceof IntegrityError) return [];
      throw error;
    }
  }

  async #read({ pack, offset, length }: Omit<ReadRange, "entries">, signal: AbortSignal): Promise<Uint8Array> {
    const key = packKey(pack);
    try {
      return await this.#options.store.get(key, { range: { offset, length }, signal });
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      throw new IntegrityError(`pack ${key} is missing from the destination`, { cause: error, context: { key } });
    }
  }
}
