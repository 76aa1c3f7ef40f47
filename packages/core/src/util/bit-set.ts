import { grown } from "./grown.ts";

const FIRST_BYTES = 1024;

/** A set of small integers at one bit each; grows as needed. */
export class BitSet {
  #bits = new Uint8Array(FIRST_BYTES);

  copy(): BitSet {
    const copy = new BitSet();
    copy.#bits = this.#bits.slice();
    return copy;
  }

  has(number: number): boolean {
    return ((this.#bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  /** True when it was not in the set. */
  add(number: number): boolean {
    if (this.has(number)) return false;
    const at = number >> 3;
    this.#bits = grown(this.#bits, at + 1);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (number & 7));
    return true;
  }

  delete(number: number): void {
    if (this.has(number)) this.#bits[number >> 3] = (this.#bits[number >> 3] ?? 0) & ~(1 << (number & 7));
  }
}
