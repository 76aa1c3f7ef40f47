import { grown } from "../../util/grown.ts";
import { DigestTable, NO_RECORD } from "../../util/digest-table.ts";
import type { PackKind } from "./pack-format.ts";

/**
 * `condemned`: about to be deleted unless a point needs it; may be read, but nothing new may rely on it. `gone`: deleted.
 */
export type PackState = "usable" | "condemned" | "gone";

/** A pack the index knows, as it is now. */
export interface IndexedPack {
  readonly name: string;
  readonly kind: PackKind;
  readonly state: PackState;
}

/** An array of an index, written and read as it is. */
export type Memory = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Numbers of packs and of slots. */
export interface PackTableShape {
  readonly length: number;
  readonly slots: number;
}

const KINDS: readonly PackKind[] = ["data", "pages"];
const STATES: readonly PackState[] = ["usable", "condemned", "gone"];
const USABLE = STATES.indexOf("usable");
const CONDEMNED = STATES.indexOf("condemned");
const GONE = STATES.indexOf("gone");

const DIGIT_0 = 0x30;
const LETTER_A = 0x61;
const NAME_WORDS = 4;
const WORD_DIGITS = 8;

/**
 * The packs of an index by number, in the order in which they were added; about 24 bytes each. A deleted pack keeps its
 * number, and gets a new one should it come back.
 */
export class PackTable implements Iterable<IndexedPack> {
  #names: Uint32Array<ArrayBuffer>;
  #kinds: Uint8Array<ArrayBuffer>;
  #states: Uint8Array<ArrayBuffer>;
  readonly #table: DigestTable;
  /** The name of the current lookup. */
  readonly #asked = new Uint32Array(NAME_WORDS);
  #length: number;
  #drops = 0;
  #condemned: ReadonlySet<string> = new Set();

  /** An empty table, or one of this shape whose memory is still to be filled with another's. */
  constructor(shape?: PackTableShape) {
    this.#length = shape?.length ?? 0;
    this.#names = new Uint32Array(this.#length * NAME_WORDS);
    this.#kinds = new Uint8Array(this.#length);
    this.#states = new Uint8Array(this.#length);
    this.#table = new DigestTable(shape?.slots);
  }

  get shape(): PackTableShape {
    return { length: this.#length, slots: this.#table.slots.length };
  }

  /** Size of its memory. */
  static bytesOf({ length, slots }: PackTableShape): number {
    return length * (NAME_WORDS * Uint32Array.BYTES_PER_ELEMENT + 2) + slots * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** The arrays it lives in. */
  memory(): readonly Memory[] {
    const names = this.#names.subarray(0, this.#length * NAME_WORDS);
    return [names, ...[this.#kinds, this.#states].map((facts) => facts.subarray(0, this.#length)), this.#table.slots];
  }

  /** Number of drops so far. */
  get drops(): number {
    return this.#drops;
  }

  /** Including packs that are gone. */
  get length(): number {
    return this.#length;
  }

  at(pack: number): IndexedPack {
    const kind = KINDS[this.#kinds[pack] ?? KINDS.length];
    const state = STATES[this.#states[pack] ?? STATES.length];
    if (pack >= this.#length || kind === undefined || state === undefined) throw new RangeError(`no pack ${pack}`);
    return { name: this.nameOf(pack), kind, state };
  }

  *[Symbol.iterator](): Generator<IndexedPack> {
    for (let pack = 0; pack < this.#length; pack += 1) yield this.at(pack);
  }

  nameOf(pack: number): string {
    const words = this.#names.subarray(pack * NAME_WORDS, (pack + 1) * NAME_WORDS);
    return Array.from(words, (word) => word.toString(16).padStart(WORD_DIGITS, "0")).join("");
  }

  /** Number of the existing pack with this name. */
  numberOf(name: string): number | undefined {
    const words = this.#asked;
    if (!readName(name, words)) return undefined;
    const hash = words[0] ?? 0;
    for (let slot = this.#table.first(hash); ; slot = this.#table.next(slot, hash)) {
      const pack = this.#table.recordAt(slot);
      if (pack === NO_RECORD) return undefined;
      if (!this.isGone(pack) && this.#isNamed(pack, words)) return pack;
    }
  }

  /** Answers its number. `name`: 32 hex digits, and not that of an existing pack of the table. */
  add(name: string, kind: PackKind): number {
    if (!readName(name, this.#asked)) throw new RangeError(`${name} is not the name of a pack`);
    const pack = this.#length;
    this.#length += 1;
    this.#names = grown(this.#names, this.#length * NAME_WORDS);
    this.#kinds = grown(this.#kinds, this.#length);
    this.#states = grown(this.#states, this.#length);
    this.#names.set(this.#asked, pack * NAME_WORDS);
    this.#kinds[pack] = KINDS.indexOf(kind);
    this.#states[pack] = this.#condemned.has(name) ? CONDEMNED : USABLE;
    if (this.#table.hasRoomFor(this.#length)) this.#table.add(this.#names[pack * NAME_WORDS] ?? 0, pack);
    else this.#rebuildTable();
    return pack;
  }

  isUsable(pack: number): boolean {
    return this.#states[pack] === USABLE;
  }

  isGone(pack: number): boolean {
    return this.#states[pack] === GONE;
  }

  countGone(): number {
    let gone = 0;
    for (let pack = 0; pack < this.#length; pack += 1) if (this.isGone(pack)) gone += 1;
    return gone;
  }

  drop(pack: number): void {
    this.#states[pack] = GONE;
    this.#drops += 1;
  }

  /** Sets which packs are condemned, among those that exist and those that are added later. */
  condemn(names: ReadonlySet<string>): void {
    this.#condemned = names;
    for (let pack = 0; pack < this.#length; pack += 1) if (!this.isGone(pack)) this.#states[pack] = USABLE;
    for (const name of names) {
      const pack = this.numberOf(name);
      if (pack !== undefined) this.#states[pack] = CONDEMNED;
    }
  }

  #isNamed(pack: number, words: Uint32Array): boolean {
    for (let at = 0; at < NAME_WORDS; at += 1) if (this.#names[pack * NAME_WORDS + at] !== words[at]) return false;
    return true;
  }

  #rebuildTable(): void {
    this.#table.clear(this.#length);
    for (let pack = 0; pack < this.#length; pack += 1) this.#table.add(this.#names[pack * NAME_WORDS] ?? 0, pack);
  }
}

/** Reads 32 lower-case hex digits into four words. False for any other text. */
function readName(name: string, words: Uint32Array): boolean {
  if (name.length !== NAME_WORDS * WORD_DIGITS) return false;
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const digit = code < LETTER_A ? code - DIGIT_0 : code - LETTER_A + 10;
    if (digit < 0 || digit > 15 || (code < LETTER_A && digit > 9)) return false;
    const word = Math.floor(at / WORD_DIGITS);
    words[word] = ((words[word] ?? 0) << 4) | digit;
  }
  return true;
}
