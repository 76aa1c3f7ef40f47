import { copyOf } from "../util/copy-of.ts";
import type { ChunkId } from "./digest.ts";
import type { PackListing } from "./index-format.ts";
import type { PackKind } from "./pack-format.ts";

/** A pack the index knows. */
export interface IndexedPack {
  readonly name: string;
  readonly kind: PackKind;
  /**
   * `condemned`: about to be deleted unless a point needs it; may be read, but nothing new may rely on it. `gone`: deleted.
   */
  state: "usable" | "condemned" | "gone";
}

/** Where a chunk lies. */
export interface ChunkLocation {
  readonly pack: IndexedPack;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly codec: number;
}

const SEGMENT_ENTRIES = 1 << 16;
const ID_WORDS = 8;
const FACT_WORDS = 4;
const ENTRY_WORDS = ID_WORDS + FACT_WORDS;
/** 24 bits are enough for the longest chunk; the codec shares its word. */
const PLAIN_BITS = 24;
const PLAIN_MASK = (1 << PLAIN_BITS) - 1;
const FIRST_SLOTS = 1 << 12;
const FULLEST = 0.75;

/**
 * Every chunk of a repository in memory: 48 bytes an entry in segments that never move, found through an open-addressed
 * table of 4-byte slots. No object per chunk. About 56 MiB for 2^20 chunks (1 TiB at 1 MiB blocks).
 */
export class ChunkIndex {
  readonly #segments: Uint32Array[] = [];
  readonly #packs: IndexedPack[] = [];
  readonly #packNumbers = new Map<string, number>();
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;
  /** Further places of the few chunks that two runs stored at the same moment, or that were stored again. */
  readonly #copies = new Map<number, ChunkLocation[]>();
  /** Entries with places that do not hold what they should, and the packs those are in. */
  readonly #bad = new Map<number, Set<IndexedPack>>();

  get size(): number {
    return this.#size;
  }

  /** In the order they were added. */
  get packs(): readonly IndexedPack[] {
    return this.#packs;
  }

  /** Adds all chunks of a pack, unless it is known. For a chunk that is already known this is a further place. */
  add(listing: PackListing): void {
    const known = this.#packNumbers.get(listing.name);
    if (known !== undefined) return this.#revive(known);
    const inPack: IndexedPack = { name: listing.name, kind: listing.kind, state: "usable" };
    const pack = this.#packs.push(inPack) - 1;
    this.#packNumbers.set(listing.name, pack);
    for (const { id, offset, storedBytes, plainBytes, codec } of listing.entries) {
      const words = wordsOf(id);
      const slot = this.#slotOf(words);
      const before = this.#slots[slot] ?? 0;
      if (before !== 0) {
        const copies = this.#copies.get(before - 1) ?? [];
        this.#copies.set(before - 1, [...copies, { pack: inPack, offset, storedBytes, plainBytes, codec }]);
        continue;
      }
      const entry = this.#size;
      if (entry % SEGMENT_ENTRIES === 0) this.#segments.push(new Uint32Array(SEGMENT_ENTRIES * ENTRY_WORDS));
      const segment = this.#segmentOf(entry);
      const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS;
      segment.set(words, at);
      segment[at + ID_WORDS] = pack;
      segment[at + ID_WORDS + 1] = offset;
      segment[at + ID_WORDS + 2] = storedBytes;
      segment[at + ID_WORDS + 3] = (codec << PLAIN_BITS) | plainBytes;
      this.#size = entry + 1;
      this.#slots[slot] = this.#size;
      if (this.#size > this.#slots.length * FULLEST) this.#grow();
    }
  }

  /** Forgets packs that were deleted. */
  drop(packNames: Iterable<string>): void {
    for (const name of packNames) {
      const pack = this.#packNamed(name);
      if (pack !== undefined) pack.state = "gone";
    }
  }

  /** From now on exactly these packs are condemned, of those that are not gone. */
  condemn(packNames: ReadonlySet<string>): void {
    for (const pack of this.#packs) {
      if (pack.state !== "gone") pack.state = packNames.has(pack.name) ? "condemned" : "usable";
    }
  }

  /** True when some place may be relied on to hold the chunk, so that it need not be stored. */
  has(id: ChunkId): boolean {
    const entry = this.entryOf(id);
    return entry !== undefined && this.#placesOf(entry).some((place) => this.#isReliable(entry, place));
  }

  /** This pack does not hold the chunk as it was: unless it has another place it must be stored again when it is met. */
  markBad(id: ChunkId, packName: string): void {
    const entry = this.entryOf(id);
    const pack = this.#packNamed(packName);
    if (entry === undefined || pack === undefined) return;
    this.#bad.set(entry, (this.#bad.get(entry) ?? new Set()).add(pack));
  }

  /** Takes `markBad` back: the pack was read again and holds the chunk. */
  markGood(id: ChunkId, packName: string): void {
    const entry = this.entryOf(id);
    const pack = this.#packNamed(packName);
    if (entry === undefined || pack === undefined) return;
    const bad = this.#bad.get(entry);
    bad?.delete(pack);
    if (bad?.size === 0) this.#bad.delete(entry);
  }

  /** True when the chunk has a place that is not known to be bad, so that reading it is worth a try. */
  isReadable(id: ChunkId): boolean {
    const entry = this.entryOf(id);
    if (entry === undefined) return false;
    const bad = this.#bad.get(entry);
    return this.#placesOf(entry).some((place) => bad?.has(place.pack) !== true);
  }

  /** Calls `visit` for every place of every chunk that is not gone. Numbers only: there may be many millions. */
  forEachPlace(visit: (entry: number, pack: number, storedBytes: number) => void): void {
    for (let entry = 0; entry < this.#size; entry += 1) {
      const segment = this.#segmentOf(entry);
      const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS + ID_WORDS;
      const pack = segment[at] ?? 0;
      if (this.#packs[pack]?.state !== "gone") visit(entry, pack, segment[at + 2] ?? 0);
      for (const copy of this.#copies.get(entry) ?? []) {
        if (copy.pack.state === "gone") continue;
        visit(entry, this.#packNumbers.get(copy.pack.name) ?? 0, copy.storedBytes);
      }
    }
  }

  /** A number below `size` that stands for this chunk while the index lives, or undefined. */
  entryOf(id: ChunkId): number | undefined {
    const entry = this.#slots[this.#slotOf(wordsOf(id))];
    return entry === undefined || entry === 0 ? undefined : entry - 1;
  }

  /** Every place of a chunk that is not gone, those to be relied on first; empty when it is not known. */
  find(id: ChunkId): readonly ChunkLocation[] {
    const entry = this.entryOf(id);
    if (entry === undefined) return [];
    const places = this.#placesOf(entry);
    if (places.length < 2) return places;
    const rank = (place: ChunkLocation): number => (this.#isReliable(entry, place) ? 0 : 1);
    return places.toSorted((a, b) => rank(a) - rank(b));
  }

  #placesOf(entry: number): ChunkLocation[] {
    const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS + ID_WORDS;
    const facts = this.#segmentOf(entry).subarray(at, at + FACT_WORDS);
    const [packNumber = 0, offset = 0, storedBytes = 0, packed = 0] = facts;
    const pack = this.#packs[packNumber];
    if (pack === undefined) throw new RangeError(`no pack ${packNumber}`);
    const first = { pack, offset, storedBytes, plainBytes: packed & PLAIN_MASK, codec: packed >>> PLAIN_BITS };
    return [first, ...(this.#copies.get(entry) ?? [])].filter((place) => place.pack.state !== "gone");
  }

  #isReliable(entry: number, { pack }: ChunkLocation): boolean {
    return pack.state === "usable" && this.#bad.get(entry)?.has(pack) !== true;
  }

  #packNamed(name: string): IndexedPack | undefined {
    return this.#packs[this.#packNumbers.get(name) ?? -1];
  }

  #revive(packNumber: number): void {
    const pack = this.#packs[packNumber];
    if (pack?.state === "gone") pack.state = "usable";
  }

  /** The slot that holds these words, or the empty one where they belong. */
  #slotOf(words: Uint32Array): number {
    const mask = this.#slots.length - 1;
    // Digests are uniform, so their own bits are the hash.
    let slot = (words[0] ?? 0) & mask;
    for (;;) {
      const entry = this.#slots[slot];
      if (entry === undefined || entry === 0 || this.#matches(entry - 1, words)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #matches(entry: number, words: Uint32Array): boolean {
    const segment = this.#segmentOf(entry);
    const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS;
    for (let word = 0; word < ID_WORDS; word += 1) {
      if (segment[at + word] !== words[word]) return false;
    }
    return true;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#size; entry += 1) {
      const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS;
      this.#slots[this.#slotOf(this.#segmentOf(entry).subarray(at, at + ID_WORDS))] = entry + 1;
    }
  }

  #segmentOf(entry: number): Uint32Array {
    const segment = this.#segments[Math.floor(entry / SEGMENT_ENTRIES)];
    if (segment === undefined) throw new RangeError(`no index entry ${entry}`);
    return segment;
  }
}

function wordsOf(id: Uint8Array): Uint32Array {
  if (id.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0) return new Uint32Array(id.buffer, id.byteOffset, ID_WORDS);
  return new Uint32Array(copyOf(id).buffer);
}
