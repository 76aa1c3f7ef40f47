import { NfsProtocolError } from "../errors.ts";

/**
 * Reads values of XDR (RFC 4506).
 * @throws NfsProtocolError past the end, and for lengths above what the caller takes
 */
export class XdrReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  bool(): boolean {
    return this.uint32() !== 0;
  }

  /** A view, without a copy. */
  fixed(length: number): Buffer {
    const start = this.#advance(length);
    this.#advance(-length & 3);
    return this.#bytes.subarray(start, start + length);
  }

  /** A view, without a copy. */
  opaque(mostBytes: number): Buffer {
    const length = this.uint32();
    if (length > mostBytes) throw new NfsProtocolError(`a value has ${length} bytes, more than ${mostBytes}`);
    return this.fixed(length);
  }

  optional<T>(read: () => T): T | undefined {
    return this.bool() ? read() : undefined;
  }

  /** What was not read yet. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  #advance(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new NfsProtocolError("a message ends early");
    this.#at = start + length;
    return start;
  }
}
