import type { Extent } from "@ovault/contract";

const PAGE_BYTES = 64 * 1024;

/** Any number of bytes; only written pages take space. Reads as zeros elsewhere. */
export class SparseBytes {
  readonly length: number;
  readonly #pages: Map<number, Uint8Array>;

  constructor(length: number, pages: Iterable<readonly [number, Uint8Array]> = []) {
    this.length = length;
    this.#pages = new Map(pages);
  }

  /** The same content, truncated or extended. Pages never change in place, so both may share them. */
  copy(length: number): SparseBytes {
    const copy = new SparseBytes(length, this.#pages);
    // Truncated content must not come back when the copy is extended again.
    for (const index of copy.#pages.keys()) if (index * PAGE_BYTES >= length) copy.#pages.delete(index);
    const tail = length % PAGE_BYTES;
    if (length < this.length && tail > 0) copy.zero(length, PAGE_BYTES - tail);
    return copy;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const { index, start, end, at } of pieces(offset, bytes.byteLength)) {
      const page = this.#ownPage(index);
      page.set(bytes.subarray(at, at + end - start), start);
    }
  }

  zero(offset: number, length: number): void {
    for (const { index, start, end } of pieces(offset, length)) {
      if (end - start === PAGE_BYTES) this.#pages.delete(index);
      else if (this.#pages.has(index)) this.#ownPage(index).fill(0, start, end);
    }
  }

  readInto(offset: number, target: Uint8Array): void {
    for (const { index, start, end, at } of pieces(offset, target.byteLength)) {
      const page = this.#pages.get(index);
      const range = target.subarray(at, at + end - start);
      if (page === undefined) range.fill(0);
      else range.set(page.subarray(start, end));
    }
  }

  /** Whole pages: `data` for each that exists. */
  *extents(): Generator<Extent> {
    let position = 0;
    for (const index of [...this.#pages.keys()].toSorted((a, b) => a - b)) {
      const offset = index * PAGE_BYTES;
      if (offset > position) yield { offset: position, length: offset - position, kind: "zero" };
      position = Math.min(offset + PAGE_BYTES, this.length);
      yield { offset, length: position - offset, kind: "data" };
    }
    if (position < this.length) yield { offset: position, length: this.length - position, kind: "zero" };
  }

  #ownPage(index: number): Uint8Array {
    const page = Uint8Array.from(this.#pages.get(index) ?? new Uint8Array(PAGE_BYTES));
    this.#pages.set(index, page);
    return page;
  }
}

interface Piece {
  readonly index: number;
  /** Offset in the page. */
  readonly start: number;
  readonly end: number;
  /** Offset in the whole range. */
  readonly at: number;
}

function* pieces(offset: number, length: number): Generator<Piece> {
  for (let at = 0; at < length;) {
    const index = Math.floor((offset + at) / PAGE_BYTES);
    const start = (offset + at) % PAGE_BYTES;
    const end = Math.min(PAGE_BYTES, start + length - at);
    yield { index, start, end, at };
    at += end - start;
  }
}
