import type { Readable } from "node:stream";

import { NbdConnectionError, NbdError, NbdProtocolError } from "./errors.ts";

/** Unread bytes above which the stream is paused; a few socket reads, so that the normal flow never pauses. */
const HIGH_WATER_BYTES = 256 * 1024;

/** A read that waits for bytes. Without a target, bytes are counted and thrown away. */
interface Want {
  target: Uint8Array | undefined;
  filled: number;
  readonly length: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads exact amounts from a stream, in whatever pieces it arrives: each byte is copied once, from the received piece
 * to where it belongs. One read at a time. When nobody reads, the stream is paused, so memory stays bounded. When the
 * stream ends or fails, what had arrived can still be read; after that every read rejects with an NbdError.
 */
export class ByteReader {
  readonly #stream: Readable;
  #pieces: Buffer[] = [];
  #unreadBytes = 0;
  #want: Want | undefined;
  #failure: NbdError | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on("data", this.#onData);
    stream.on("end", this.#onClose);
    stream.on("close", this.#onClose);
    stream.on("error", this.#onError);
    stream.resume();
  }

  /** Fills the whole buffer. */
  fill(buffer: Uint8Array): Promise<void> {
    return this.#read(buffer, buffer.length);
  }

  /** A fresh buffer; the caller has checked that `length` is reasonable. */
  async bytes(length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    await this.fill(buffer);
    return buffer;
  }

  skip(length: number): Promise<void> {
    return this.#read(undefined, length);
  }

  /** The rest of the read under way is thrown away as it comes; its buffer is not touched again. */
  discard(): void {
    if (this.#want !== undefined) this.#want.target = undefined;
  }

  /**
   * Leaves the stream to somebody else, paused. Bytes that came too early are a protocol error: whoever sent them
   * before TLS wants them believed after it.
   */
  detach(): void {
    this.#stream.off("data", this.#onData);
    this.#stream.off("end", this.#onClose);
    this.#stream.off("close", this.#onClose);
    this.#stream.off("error", this.#onError);
    this.#stream.pause();
    if (this.#unreadBytes > 0) throw new NbdProtocolError("data received before TLS was started");
  }

  #read(target: Uint8Array | undefined, length: number): Promise<void> {
    if (this.#want !== undefined) return Promise.reject(new NbdError("two reads at once on one connection"));
    return new Promise((resolve, reject) => {
      this.#want = { target, filled: 0, length, resolve, reject };
      this.#serve();
    });
  }

  /** Gives the waiting read what is there, and finishes it if that is all it wants. */
  #serve(): void {
    const want = this.#want;
    if (want === undefined) return;
    while (want.filled < want.length) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const used = Math.min(piece.length, want.length - want.filled);
      if (want.target !== undefined) piece.copy(want.target, want.filled, 0, used);
      want.filled += used;
      this.#unreadBytes -= used;
      if (used === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(used);
    }
    if (want.filled === want.length) {
      this.#want = undefined;
      want.resolve();
    } else if (this.#failure !== undefined) {
      this.#want = undefined;
      want.reject(this.#failure);
    } else if (this.#stream.isPaused()) {
      this.#stream.resume();
    }
  }

  readonly #onData = (piece: Buffer): void => {
    this.#pieces.push(piece);
    this.#unreadBytes += piece.length;
    this.#serve();
    if (this.#unreadBytes > HIGH_WATER_BYTES) this.#stream.pause();
  };

  readonly #onClose = (): void => {
    this.#fail(new NbdConnectionError("the other side closed the NBD connection", { retry: "transient" }));
  };

  readonly #onError = (error: Error): void => {
    this.#fail(
      error instanceof NbdError
        ? error
        : new NbdConnectionError(`the NBD connection broke: ${error.message}`, { cause: error, retry: "transient" }),
    );
  };

  #fail(error: NbdError): void {
    this.#failure ??= error;
    this.#serve();
  }
}
