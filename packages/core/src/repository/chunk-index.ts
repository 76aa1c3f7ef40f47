import { copyOf } from "../util/copy-of.ts";
import type { ChunkId } from "./digest.ts";
import type { PackListing } from "./index-format.ts";
import type { PackKind } from "./pack-format.ts";

/** Where a chunk lies. */
export interface ChunkLocation {
  readonly pack: { readonly name: string; readonly kind: PackKind };
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
  readonly #packs: { name: string; kind: PackKind }[] = [];
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;
  /** Further places of the few chunks that two runs stored at the same moment, or that were stored again. */
  readonly #copies = new Map<number, ChunkLocation[]>();
  /** Entries of which no place holds what it should. */
  readonly #broken = new Set<number>();

  get size(): number {
    return this.#size;
  }

  /** Adds all chunks of a pack. For a chunk that is already known this is a further place. */
  add(listing: PackListing): void {
    const inPack = { name: listing.name, kind: listing.kind };
    const pack = this.#packs.push(inPack) - 1;
    for (const { id, offset, storedBytes, plainBytes, codec } of listing.entries) {
      const words = wordsOf(id);
      const slot = this.#slotOf(words);
      const known = this.#slots[slot] ?? 0;
      if (known !== 0) {
        const copies = this.#copies.get(known - 1) ?? [];
        this.#copies.set(known - 1, [...copies, { pack: inPack, offset, storedBytes, plainBytes, codec }]);
        this.#broken.delete(known - 1);
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

  /** True when some place may hold the chunk, so that it need not be stored. */
  has(id: ChunkId): boolean {
    const entry = this.entryOf(id);
    return entry !== undefined && !this.#broken.has(entry);
  }

  /** No place holds the chunk as it was: it must be stored again when it is met. */
  markBroken(id: ChunkId): void {
    const entry = this.entryOf(id);
    if (entry !== undefined) this.#broken.add(entry);
  }

  /** A number below `size` that stands for this chunk while the index lives, or undefined. */
  entryOf(id: ChunkId): number | undefined {
    const entry = this.#slots[this.#slotOf(wordsOf(id))];
    return entry === undefined || entry === 0 ? undefined : entry - 1;
  }

  /** Every place of a chunk; empty when it is not known. Usually there is one. */
  find(id: ChunkId): readonly ChunkLocation[] {
    const entry = this.entryOf(id);
    if (entry === undefined) return [];
    const at = (entry % SEGMENT_ENTRIES) * ENTRY_WORDS + ID_WORDS;
    const facts = this.#segmentOf(entry).subarray(at, at + FACT_WORDS);
    const [packNumber = 0, offset = 0, storedBytes = 0, packed = 0] = facts;
    const pack = this.#packs[packNumber];
    if (pack === undefined) throw new RangeError(`no pack ${packNumber}`);
    const first = { pack, offset, storedBytes, plainBytes: packed & PLAIN_MASK, codec: packed >>> PLAIN_BITS };
    return [first, ...(this.#copies.get(entry) ?? [])];
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
