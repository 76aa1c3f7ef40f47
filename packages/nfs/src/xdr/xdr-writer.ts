const FIRST_BYTES = 256;

/** Writes values of XDR (RFC 4506). Large opaque data is sent from where it lies, without a copy. */
export class XdrWriter {
  readonly #done: Uint8Array[] = [];
  #buffer: Buffer;
  #from = 0;
  #at = 0;
  #doneBytes = 0;

  constructor(firstBytes = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(firstBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#doneBytes + this.#at - this.#from;
  }

  uint32(value: number): this {
    const start = this.#room(4);
    this.#buffer.writeUInt32BE(value, start);
    return this;
  }

  uint64(value: bigint): this {
    const start = this.#room(8);
    this.#buffer.writeBigUInt64BE(value, start);
    return this;
  }

  bool(value: boolean): this {
    return this.uint32(value ? 1 : 0);
  }

  fixed(bytes: Uint8Array): this {
    const start = this.#room(bytes.length);
    this.#buffer.set(bytes, start);
    return this.#pad(bytes.length);
  }

  opaque(bytes: Uint8Array): this {
    return this.uint32(bytes.length).fixed(bytes);
  }

  text(text: string): this {
    return this.opaque(Buffer.from(text));
  }

  /** Like `opaque`, without a copy: the caller leaves the bytes alone until they are sent. */
  lent(bytes: Uint8Array): this {
    this.uint32(bytes.length);
    this.#cut();
    this.#done.push(bytes);
    this.#doneBytes += bytes.length;
    return this.#pad(bytes.length);
  }

  /** All that another writer has; it is not used afterwards. */
  append(other: XdrWriter): this {
    this.#cut();
    this.#done.push(...other.parts());
    this.#doneBytes += other.length;
    return this;
  }

  /** The value, or that there is none. */
  optional<T>(value: T | undefined, write: (value: T) => void): this {
    this.bool(value !== undefined);
    if (value !== undefined) write(value);
    return this;
  }

  /** All that was written, in order. */
  parts(): readonly Uint8Array[] {
    this.#cut();
    return this.#done;
  }

  #pad(length: number): this {
    const bytes = -length & 3;
    const start = this.#room(bytes);
    this.#buffer.fill(0, start, start + bytes);
    return this;
  }

  /** Where to write. May replace the buffer, so it comes first. */
  #room(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, start + bytes));
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    this.#at = start + bytes;
    return start;
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    const part = this.#buffer.subarray(this.#from, this.#at);
    this.#done.push(part);
    this.#doneBytes += part.length;
    this.#from = this.#at;
  }
}
