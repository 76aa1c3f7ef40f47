/** Buffers from this size on are pooled: the system allocates fresh pages for each of them. */
const POOLED_BYTES = 64 * 1024;

/**
 * Bounds the bytes one connection has under way, and lends the buffers for them. A request for more than is left waits
 * in line; one larger than the whole budget passes when it is alone.
 */
export class ByteBudget {
  readonly #limit: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  readonly #spare: Buffer[] = [];
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async take(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) this.#taken += bytes;
    else await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
  }

  give(bytes: number): void {
    this.#taken -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += next.bytes;
      next.go();
    }
  }

  /** A buffer of at least this length, with any content. The caller has taken the bytes from the budget before. */
  lend(length: number): Buffer {
    const fitting = this.#spare.findIndex((buffer) => buffer.length >= length);
    if (fitting !== -1) return this.#spare.splice(fitting, 1)[0] ?? Buffer.allocUnsafe(length);
    return Buffer.allocUnsafe(length < POOLED_BYTES ? length : 2 ** Math.ceil(Math.log2(length)));
  }

  giveBack(buffer: Buffer): void {
    const spareBytes = this.#spare.reduce((sum, { length }) => sum + length, 0);
    if (buffer.length >= POOLED_BYTES && spareBytes + buffer.length <= this.#limit) this.#spare.push(buffer);
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#limit;
  }
}
