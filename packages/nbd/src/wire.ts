import { NbdHandshakeError } from "./errors.ts";
import { MAX_STRING_BYTES } from "./protocol.ts";

export function uint16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

export function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

/** A length-prefixed string of options and replies. */
export function wireString(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > MAX_STRING_BYTES) {
    throw new NbdHandshakeError(`a name of ${bytes.length} bytes is longer than NBD allows (${MAX_STRING_BYTES})`);
  }
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** Parses an option's data. Each method returns `undefined` when the data is too short or a string is too long. */
export class OptionParser {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  uint16(): number | undefined {
    if (this.#at + 2 > this.#data.length) return undefined;
    this.#at += 2;
    return this.#data.readUInt16BE(this.#at - 2);
  }

  uint32(): number | undefined {
    if (this.#at + 4 > this.#data.length) return undefined;
    this.#at += 4;
    return this.#data.readUInt32BE(this.#at - 4);
  }

  string(): string | undefined {
    const length = this.uint32();
    if (length === undefined || length > MAX_STRING_BYTES || this.#at + length > this.#data.length) return undefined;
    this.#at += length;
    return this.#data.toString("utf8", this.#at - length, this.#at);
  }

  get atEnd(): boolean {
    return this.#at === this.#data.length;
  }
}
