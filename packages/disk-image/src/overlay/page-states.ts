/** Where a page of an overlay is: in the base, in the overlay's file, or nowhere because it is zeros. */
export type PageState = "base" | "data" | "zero";

export interface PageRun {
  readonly state: PageState;
  readonly first: number;
  readonly end: number;
}

export const PAGE_BYTES = 4096;

/** Pages that so many bytes take. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

/** Which pages are where. */
export interface PageTable {
  of(page: number): PageState;
  /** Sets the pages from `first` to the one before `end`. */
  set(first: number, end: number, state: PageState): void;
  /** Longest runs of pages in one state, from `first` to the page before `end`. */
  runs(first: number, end: number): Iterable<PageRun>;
}

export const PAGE_STATES: readonly PageState[] = ["base", "data", "zero"];
const PAGES_A_BYTE = 4;

/** The states of all pages of a disk, two bits each. Memory that was never written to takes no room. */
export class PageStates implements PageTable {
  /** From the lowest bits of each byte: 0 for base, 1 for data, 2 for zero. */
  readonly bits: Uint8Array;
  readonly pages: number;

  constructor(pages: number) {
    this.pages = pages;
    this.bits = new Uint8Array(Math.ceil(pages / PAGES_A_BYTE));
  }

  of(page: number): PageState {
    const code = ((this.bits[Math.floor(page / PAGES_A_BYTE)] ?? 0) >> this.#shift(page)) & 3;
    return PAGE_STATES[code] ?? "base";
  }

  set(first: number, end: number, state: PageState): void {
    const code = PAGE_STATES.indexOf(state);
    const wholeFirst = Math.ceil(first / PAGES_A_BYTE);
    const wholeEnd = Math.floor(end / PAGES_A_BYTE);
    if (wholeFirst >= wholeEnd) return this.#setEach(first, end, code);
    this.#setEach(first, wholeFirst * PAGES_A_BYTE, code);
    this.bits.fill(code * 0b01010101, wholeFirst, wholeEnd);
    this.#setEach(wholeEnd * PAGES_A_BYTE, end, code);
  }

  *runs(first: number, end: number): Generator<PageRun> {
    for (let at = first; at < end;) {
      const state = this.of(at);
      let stop = at + 1;
      while (stop < end && this.of(stop) === state) stop += 1;
      yield { state, first: at, end: stop };
      at = stop;
    }
  }

  #setEach(first: number, end: number, code: number): void {
    for (let page = first; page < end; page += 1) {
      const at = Math.floor(page / PAGES_A_BYTE);
      this.bits[at] = ((this.bits[at] ?? 0) & ~(3 << this.#shift(page))) | (code << this.#shift(page));
    }
  }

  #shift(page: number): number {
    return (page % PAGES_A_BYTE) * 2;
  }
}
