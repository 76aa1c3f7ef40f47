import { type Codec, CodecError, copyOf, IntegrityError } from "@ovault/contract";

/** One result in this many is decoded, once the first have proved good. */
const SHARE = 64;

/**
 * The same codec, which decodes a sample of what it has encoded and compares: a library or a processor that encodes wrongly
 * fails the run, and not the restore. The sample is the results number 1, 2, 4, 8, 16 and 32, and then every 64th.
 */
export class ProvedCodec implements Codec {
  readonly id: number;
  readonly name: string;
  readonly #codec: Codec;
  #results = 0;

  constructor(codec: Codec) {
    this.id = codec.id;
    this.name = codec.name;
    this.#codec = codec;
  }

  /** @throws CodecError when what was encoded does not decode to the same bytes */
  async encode(plain: Uint8Array): Promise<Uint8Array | undefined> {
    const encoded = await this.#codec.encode(plain);
    if (encoded === undefined) return undefined;
    this.#results += 1;
    if (isInSample(this.#results)) await this.#prove(plain, encoded);
    return encoded;
  }

  decode(stored: Uint8Array, plainBytes: number): Promise<Uint8Array> {
    return this.#codec.decode(stored, plainBytes);
  }

  async #prove(plain: Uint8Array, encoded: Uint8Array): Promise<void> {
    let cause: unknown;
    try {
      // Decoding may use up or change what it is given.
      const decoded = await this.#codec.decode(copyOf(encoded), plain.byteLength);
      if (Buffer.compare(decoded, plain) === 0) return;
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      cause = error;
    }
    throw new CodecError(`what the codec ${this.name} encodes does not decode to the same bytes on this machine`, {
      ...(cause !== undefined && { cause }),
      context: { codec: this.id, plainBytes: plain.byteLength, encodedBytes: encoded.byteLength },
      hint: `Nothing was sealed. Suspect the library of ${this.name} or the memory of this machine; choose another codec until it is mended.`,
    });
  }
}

function isInSample(result: number): boolean {
  return result % SHARE === 0 || (result < SHARE && (result & (result - 1)) === 0);
}
