import { NfsProtocolError } from "../errors.ts";

const LAST = 0x80000000;
const HEADER_BYTES = 4;
/** A record in so many pieces is an attack, not a message. */
const MOST_FRAGMENTS = 64;

/**
 * Puts the records of a TCP stream together (RFC 5531 section 11), copying each byte once.
 * @throws NfsProtocolError for a record that is longer than `mostBytes`, before any of it is stored
 */
export class RecordReader {
  readonly #mostBytes: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #record = Buffer.alloc(0);
  #filled = 0;
  #fragments = 0;
  #isLast = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Yields the records that end in this piece. */
  *accept(piece: Uint8Array): Generator<Buffer> {
    for (let at = 0; at < piece.length;) {
      if (this.#headerFilled < HEADER_BYTES) {
        this.#header[this.#headerFilled++] = piece[at++] ?? 0;
        if (this.#headerFilled === HEADER_BYTES) this.#begin();
      } else {
        const part = piece.subarray(at, at + this.#record.length - this.#filled);
        this.#record.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
      }
      if (this.#headerFilled < HEADER_BYTES || this.#filled < this.#record.length) continue;
      this.#headerFilled = 0;
      if (!this.#isLast) continue;
      const record = this.#record;
      this.#record = Buffer.alloc(0);
      this.#filled = 0;
      this.#fragments = 0;
      yield record;
    }
  }

  #begin(): void {
    const word = this.#header.readUInt32BE(0);
    const length = word % LAST;
    this.#isLast = word >= LAST;
    this.#fragments += 1;
    const whole = this.#filled + length;
    if (whole > this.#mostBytes) throw new NfsProtocolError(`a record has more than ${this.#mostBytes} bytes`);
    if (this.#fragments > MOST_FRAGMENTS) throw new NfsProtocolError("a record comes in too many fragments");
    const record = Buffer.allocUnsafe(whole);
    this.#record.copy(record, 0, 0, this.#filled);
    this.#record = record;
  }
}
