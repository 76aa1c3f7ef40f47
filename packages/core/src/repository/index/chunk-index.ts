import { BitSet } from "../../util/bit-set.ts";
import type { ChunkId } from "../../format/digest.ts";
import { DigestTable, NO_RECORD } from "../../util/digest-table.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { CODEC_AT, ENTRY_BYTES, OFFSET_AT, PLAIN_BYTES_AT, STORED_BYTES_AT } from "../packs/pack-entries.ts";
import { PackTable, type IndexedPack, type Memory, type PackTableShape } from "../packs/pack-table.ts";

/** Where a chunk lies. */
export interface ChunkLocation {
  readonly pack: IndexedPack;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly codec: number;
}

/** Numbers of records and of slots, and the shape of the pack table: the sizes of all arrays of an index. */
export interface IndexShape {
  readonly size: number;
  readonly slots: number;
  readonly packs: PackTableShape;
}

const SEGMENT_RECORDS = 1 << 15;
const ID_WORDS = 8;
/** Words of a record after its id. */
const PACK = 8;
const OFFSET = 9;
const STORED_BYTES = 10;
const PLAIN_BYTES_AND_CODEC = 11;
const RECORD_WORDS = 12;
/** Flag in the pack's word: not the chunk's first record. */
const FURTHER = 0x8000_0000;
const PACK_MASK = FURTHER - 1;
/** 24 bits are enough for the longest chunk; the codec shares the word. */
const PLAIN_BITS = 24;
const PLAIN_MASK = (1 << PLAIN_BITS) - 1;

/**
 * Every chunk of a repository in memory, without an object for any of them: a record of 48 bytes for each place of a
 * chunk, in segments that never move, found through a table of 4-byte slots. A place in a deleted pack gives its record
 * to the next place of its chunk. At most 64 MiB for 2^20 chunks (1 TiB at 1 MiB blocks), packs included.
 */
export class ChunkIndex {
  readonly packs: PackTable;
  readonly #segments: Uint32Array<ArrayBuffer>[] = [];
  readonly #table: DigestTable;
  /** Records of places that do not hold what they should hold. */
  readonly #bad = new BitSet();
  #markedBad = 0;
  #size = 0;

  /** An empty index, or one of this shape whose memory is still to be filled with another's. */
  constructor(shape?: IndexShape) {
    this.packs = new PackTable(shape?.packs);
    this.#table = new DigestTable(shape?.slots);
    this.#size = shape?.size ?? 0;
    while (this.#segments.length * SEGMENT_RECORDS < this.#size) this.#addSegment();
  }

  get shape(): IndexShape {
    return { size: this.#size, slots: this.#table.slots.length, packs: this.packs.shape };
  }

  /** Size of its memory. */
  static bytesOf({ size, slots, packs }: IndexShape): number {
    return (size * RECORD_WORDS + slots) * Uint32Array.BYTES_PER_ELEMENT + PackTable.bytesOf(packs);
  }

  /** The arrays it lives in. They do not contain the bad places. */
  memory(): readonly Memory[] {
    const records = this.#segments.map((segment, number) =>
      segment.subarray(0, (this.#size - number * SEGMENT_RECORDS) * RECORD_WORDS),
    );
    return [...records, this.#table.slots, ...this.packs.memory()];
  }

  /** Number of records. Every number that stands for a chunk is below it. */
  get size(): number {
    return this.#size;
  }

  /** Grows whenever a place was found bad or a pack gone, which invalidates earlier findings about places. */
  get placesGivenUp(): number {
    return this.#markedBad + this.packs.drops;
  }

  /**
   * Adds all chunks of a pack, unless the pack is known, and answers its number. A known chunk gets a further place.
   */
  add({ name, kind, entries: { view } }: PackListing): number {
    const known = this.packs.numberOf(name);
    if (known !== undefined) return known;
    const pack = this.packs.add(name, kind);
    const id = new Uint32Array(ID_WORDS);
    for (let at = 0; at < view.byteLength; at += ENTRY_BYTES) {
      readId(view, at, id);
      const record = this.#recordToFill(id);
      const segment = this.#segmentOf(record);
      const word = wordOf(record);
      segment[word + PACK] = ((segment[word + PACK] ?? 0) & FURTHER) | pack;
      segment[word + OFFSET] = view.getUint32(at + OFFSET_AT, true);
      segment[word + STORED_BYTES] = view.getUint32(at + STORED_BYTES_AT, true);
      segment[word + PLAIN_BYTES_AND_CODEC] = plainBytesAndCodecIn(view, at);
    }
    return pack;
  }

  /** Whether the index has each of these chunks at exactly this place in the pack. */
  lists({ name, entries: { view } }: PackListing): boolean {
    const pack = this.packs.numberOf(name);
    const id = new Uint32Array(ID_WORDS);
    const isPlace = (record: number, at: number): boolean => {
      const segment = this.#segmentOf(record);
      const word = wordOf(record);
      return (
        this.#packOf(record) === pack &&
        segment[word + OFFSET] === view.getUint32(at + OFFSET_AT, true) &&
        segment[word + STORED_BYTES] === view.getUint32(at + STORED_BYTES_AT, true) &&
        segment[word + PLAIN_BYTES_AND_CODEC] === plainBytesAndCodecIn(view, at)
      );
    };
    for (let at = 0; at < view.byteLength; at += ENTRY_BYTES) {
      readId(view, at, id);
      let isListed = false;
      for (const record of this.#recordsOf(id)) isListed ||= isPlace(record, at);
      if (!isListed) return false;
    }
    return true;
  }

  /** How many chunks each pack holds, by its number. */
  countPlaces(): Uint32Array {
    const places = new Uint32Array(this.packs.length);
    this.forEachPlace((_entry, pack) => {
      places[pack] = (places[pack] ?? 0) + 1;
    });
    return places;
  }

  /** Forgets deleted packs. */
  drop(packNames: Iterable<string>): void {
    for (const name of packNames) {
      const pack = this.packs.numberOf(name);
      if (pack !== undefined) this.packs.drop(pack);
    }
  }

  /** Sets which packs are condemned, among those that exist and those that are added later. */
  condemn(packNames: ReadonlySet<string>): void {
    this.packs.condemn(packNames);
  }

  /** True when some place may be relied on to hold the chunk, so that it need not be stored. */
  has(id: ChunkId): boolean {
    return this.reliablePacksOf(id, 1).length > 0;
  }

  /** The numbers of packs that may be relied on to hold the chunk, at most `most`. */
  reliablePacksOf(id: ChunkId, most: number): readonly number[] {
    const packs: number[] = [];
    for (const record of this.#recordsOf(wordsOf(id))) {
      if (packs.length === most) break;
      const pack = this.#packOf(record);
      if (this.#isReliable(record) && !packs.includes(pack)) packs.push(pack);
    }
    return packs;
  }

  /** In how many packs the chunk has a place not known to be bad. */
  copiesOf(id: ChunkId): number {
    const packs = new Set<number>();
    for (const record of this.#recordsOf(wordsOf(id))) {
      const pack = this.#packOf(record);
      if (!this.packs.isGone(pack) && !this.#bad.has(record)) packs.add(pack);
    }
    return packs.size;
  }

  /** True when the chunk has a place not known to be bad, so that reading is worth a try. */
  isReadable(id: ChunkId): boolean {
    for (const record of this.#recordsOf(wordsOf(id))) {
      if (!this.packs.isGone(this.#packOf(record)) && !this.#bad.has(record)) return true;
    }
    return false;
  }

  /**
   * This pack does not hold the chunk intact: unless it has another place, a writer that meets it must store it again.
   */
  markBad(id: ChunkId, packName: string): void {
    for (const record of this.#recordsIn(id, packName)) if (this.#bad.add(record)) this.#markedBad += 1;
  }

  /** Undoes `markBad`: the pack was read again and holds the chunk. */
  markGood(id: ChunkId, packName: string): void {
    for (const record of this.#recordsIn(id, packName)) this.#bad.delete(record);
  }

  /**
   * Calls `visit` for every place of every chunk in an existing pack; `isBad`: the place is known to be bad. Passes
   * numbers only: there may be many millions.
   */
  forEachPlace(visit: (entry: number, pack: number, storedBytes: number, isBad: boolean) => void): void {
    for (let record = 0; record < this.#size; record += 1) {
      const segment = this.#segmentOf(record);
      const word = wordOf(record);
      const packWord = segment[word + PACK] ?? 0;
      const pack = packWord & PACK_MASK;
      if (this.packs.isGone(pack)) continue;
      const entry = packWord === pack ? record : this.#firstOf(segment.subarray(word, word + ID_WORDS));
      visit(entry, pack, segment[word + STORED_BYTES] ?? 0, this.#bad.has(record));
    }
  }

  /**
   * The number that stands for this chunk while the index lives, below `size`; undefined when the chunk has no place.
   */
  entryOf(id: ChunkId): number | undefined {
    let entry: number | undefined;
    for (const record of this.#recordsOf(wordsOf(id))) {
      entry ??= record;
      if (!this.packs.isGone(this.#packOf(record))) return entry;
    }
    return undefined;
  }

  /** Length before encoding of the chunk with this number. */
  plainBytesOf(entry: number): number {
    return (this.#segmentOf(entry)[wordOf(entry) + PLAIN_BYTES_AND_CODEC] ?? 0) & PLAIN_MASK;
  }

  /** Stored length of the chunk with this number, in one of its places, which may be gone. */
  storedBytesOf(entry: number): number {
    return this.#segmentOf(entry)[wordOf(entry) + STORED_BYTES] ?? 0;
  }

  /** Every place of a chunk in existing packs, reliable ones first; empty when the chunk is not known. */
  find(id: ChunkId): readonly ChunkLocation[] {
    const reliable: ChunkLocation[] = [];
    const others: ChunkLocation[] = [];
    for (const record of this.#recordsOf(wordsOf(id))) {
      if (this.packs.isGone(this.#packOf(record))) continue;
      (this.#isReliable(record) ? reliable : others).push(this.#placeOf(record));
    }
    return [...reliable, ...others];
  }

  #placeOf(record: number): ChunkLocation {
    const segment = this.#segmentOf(record);
    const word = wordOf(record);
    const plainBytesAndCodec = segment[word + PLAIN_BYTES_AND_CODEC] ?? 0;
    return {
      pack: this.packs.at(this.#packOf(record)),
      offset: segment[word + OFFSET] ?? 0,
      storedBytes: segment[word + STORED_BYTES] ?? 0,
      plainBytes: plainBytesAndCodec & PLAIN_MASK,
      codec: plainBytesAndCodec >>> PLAIN_BITS,
    };
  }

  #isReliable(record: number): boolean {
    return this.packs.isUsable(this.#packOf(record)) && !this.#bad.has(record);
  }

  #packOf(record: number): number {
    return (this.#segmentOf(record)[wordOf(record) + PACK] ?? 0) & PACK_MASK;
  }

  /** The first record with this id. */
  #firstOf(id: Uint32Array): number {
    const hash = id[0] ?? 0;
    for (let slot = this.#table.first(hash); ; slot = this.#table.next(slot, hash)) {
      const record = this.#table.recordAt(slot);
      if (record === NO_RECORD || this.#hasId(record, id)) return record;
    }
  }

  /** All records with this id, in order. */
  *#recordsOf(id: Uint32Array): Generator<number> {
    const hash = id[0] ?? 0;
    for (let slot = this.#table.first(hash); ; slot = this.#table.next(slot, hash)) {
      const record = this.#table.recordAt(slot);
      if (record === NO_RECORD) return;
      if (this.#hasId(record, id)) yield record;
    }
  }

  *#recordsIn(id: ChunkId, packName: string): Generator<number> {
    const pack = this.packs.numberOf(packName);
    for (const record of this.#recordsOf(wordsOf(id))) if (this.#packOf(record) === pack) yield record;
  }

  #hasId(record: number, id: Uint32Array): boolean {
    const segment = this.#segmentOf(record);
    const start = wordOf(record);
    for (let word = 0; word < ID_WORDS; word += 1) if (segment[start + word] !== id[word]) return false;
    return true;
  }

  /** A record for a new place of this chunk: one whose pack is gone, or a new one. */
  #recordToFill(id: Uint32Array): number {
    if (this.#firstOf(id) === NO_RECORD) return this.#append(id, 0);
    for (const record of this.#recordsOf(id)) {
      if (!this.packs.isGone(this.#packOf(record))) continue;
      this.#bad.delete(record);
      return record;
    }
    return this.#append(id, FURTHER);
  }

  #append(id: Uint32Array, mark: number): number {
    const record = this.#size;
    if (record === this.#segments.length * SEGMENT_RECORDS) this.#addSegment();
    this.#size += 1;
    const segment = this.#segmentOf(record);
    segment.set(id, wordOf(record));
    segment[wordOf(record) + PACK] = mark;
    if (this.#table.hasRoomFor(this.#size)) this.#table.add(id[0] ?? 0, record);
    else this.#rebuildTable();
    return record;
  }

  #addSegment(): void {
    this.#segments.push(new Uint32Array(SEGMENT_RECORDS * RECORD_WORDS));
  }

  #rebuildTable(): void {
    this.#table.clear(this.#size);
    for (let record = 0; record < this.#size; record += 1) {
      this.#table.add(this.#segmentOf(record)[wordOf(record)] ?? 0, record);
    }
  }

  #segmentOf(record: number): Uint32Array<ArrayBuffer> {
    const segment = this.#segments[Math.floor(record / SEGMENT_RECORDS)];
    if (segment === undefined) throw new RangeError(`no record ${record}`);
    return segment;
  }
}

/** Packs length and codec of the pack entry that starts there into one word, as records have them. */
function plainBytesAndCodecIn(view: DataView, at: number): number {
  return ((view.getUint8(at + CODEC_AT) << PLAIN_BITS) | view.getUint32(at + PLAIN_BYTES_AT, true)) >>> 0;
}

/** Offset of a record in its segment. */
function wordOf(record: number): number {
  return (record % SEGMENT_RECORDS) * RECORD_WORDS;
}

function wordsOf(id: ChunkId): Uint32Array {
  const words = new Uint32Array(ID_WORDS);
  readId(new DataView(id.buffer, id.byteOffset, id.byteLength), 0, words);
  return words;
}

function readId(view: DataView, at: number, words: Uint32Array): void {
  for (let word = 0; word < ID_WORDS; word += 1) words[word] = view.getUint32(at + word * 4, true);
}
