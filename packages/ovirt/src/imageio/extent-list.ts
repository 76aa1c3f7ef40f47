import type { Extent, ExtentKind } from "@ovault/contract";

const SEGMENT_BYTES = 64 * 1024;
/** Lengths below 2^53: five bits in the first byte, seven in each of the others. */
const MAX_ENTRY_BYTES = 8;
const KINDS: readonly ExtentKind[] = ["data", "zero", "unchanged"];

/**
 * Gapless extents from offset 0, kept in a few bytes each: ten million take some 40 MB. Merges neighbours of one kind.
 * Lets the client drain a list from the wire at once and use it at the pace of a backup.
 */
export class ExtentList implements Iterable<Extent> {
  readonly #full: Uint8Array[] = [];
  #segment = new Uint8Array(SEGMENT_BYTES);
  #used = 0;
  #last: { length: number; kind: ExtentKind } | undefined;

  append(length: number, kind: ExtentKind): void {
    if (this.#last?.kind === kind) {
      this.#last.length += length;
      return;
    }
    if (this.#last !== undefined) this.#encode(this.#last.length, this.#last.kind);
    this.#last = { length, kind };
  }

  *[Symbol.iterator](): Iterator<Extent> {
    let offset = 0;
    for (const segment of [...this.#full, this.#segment.subarray(0, this.#used)]) {
      for (const { length, kind } of decode(segment)) {
        yield { offset, length, kind };
        offset += length;
      }
    }
    if (this.#last !== undefined) yield { offset, ...this.#last };
  }

  /** First byte: two bits of kind, five of length, and whether more follow; then seven bits of length in each. */
  #encode(length: number, kind: ExtentKind): void {
    if (this.#used + MAX_ENTRY_BYTES > SEGMENT_BYTES) {
      this.#full.push(this.#segment.subarray(0, this.#used));
      this.#segment = new Uint8Array(SEGMENT_BYTES);
      this.#used = 0;
    }
    let rest = Math.floor(length / 32);
    this.#put(KINDS.indexOf(kind) | ((length % 32) << 2), rest);
    while (rest > 0) {
      const bits = rest % 128;
      rest = Math.floor(rest / 128);
      this.#put(bits, rest);
    }
  }

  #put(bits: number, rest: number): void {
    this.#segment[this.#used] = rest > 0 ? bits | 0x80 : bits;
    this.#used += 1;
  }
}

function* decode(bytes: Uint8Array): Generator<Omit<Extent, "offset">> {
  let kind: ExtentKind = "data";
  let length = 0;
  let unit = 0;
  for (const byte of bytes) {
    if (unit === 0) {
      kind = KINDS[byte & 0x03] ?? "data";
      length = (byte >> 2) & 0x1f;
      unit = 32;
    } else {
      length += (byte & 0x7f) * unit;
      unit *= 128;
    }
    if (byte < 0x80) {
      yield { length, kind };
      unit = 0;
    }
  }
}
