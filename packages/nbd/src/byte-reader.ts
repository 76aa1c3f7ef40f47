import type { Duplex } from "node:stream";

import { copyInto } from "@ovault/contract";

import { NbdConnectionError, NbdError, NbdProtocolError } from "./errors.ts";

/** A read that waits for bytes. Without a target, the reader discards them. */
interface Want {
  target: Uint8Array | undefined;
  filled: number;
  readonly length: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads exact amounts from a stream, in whatever pieces it arrives: copies each byte once, from the received piece to
 * its target. One read at a time. A piece that is not used up pauses the stream until it is, so the reader never holds
 * more than one, and its memory may be reused after that. When the stream ends or fails, bytes that had arrived can
 * still be read; after that every read rejects with an NbdError.
 */
export class ByteReader {
  readonly #stream: Duplex;
  #piece: Uint8Array | undefined;
  #want: Want | undefined;
  #failure: NbdError | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", this.accept);
    stream.on("end", this.#onClose);
    stream.on("close", this.#onClose);
    stream.on("error", this.#onError);
  }

  /** Takes the next piece: for sockets that read into their own memory (`onread`) and emit no data. */
  readonly accept = (piece: Uint8Array): void => {
    this.#piece = piece;
    this.#serve();
    if (this.#piece !== undefined) this.#stream.pause();
  };

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

  /** Discards the rest of the read under way as it arrives; does not touch its buffer again. */
  discard(): void {
    if (this.#want !== undefined) this.#want.target = undefined;
  }

  /**
   * Hands over the stream, paused. Bytes that came too early are a protocol error: plain bytes from before TLS must not
   * count as authenticated after it.
   */
  detach(): void {
    this.#stream.off("data", this.accept);
    this.#stream.off("end", this.#onClose);
    this.#stream.off("close", this.#onClose);
    this.#stream.off("error", this.#onError);
    this.#stream.pause();
    if (this.#piece !== undefined) throw new NbdProtocolError("data received before TLS was started");
  }

  #read(target: Uint8Array | undefined, length: number): Promise<void> {
    if (this.#want !== undefined) return Promise.reject(new NbdError("two reads at once on one connection"));
    return new Promise((resolve, reject) => {
      this.#want = { target, filled: 0, length, resolve, reject };
      this.#serve();
    });
  }

  /** Gives the waiting read the bytes that are there, and finishes it if they suffice. */
  #serve(): void {
    const want = this.#want;
    if (want === undefined) return;
    if (this.#piece !== undefined) this.#move(this.#piece, want);
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

  #move(piece: Uint8Array, want: Want): void {
    const used = Math.min(piece.length, want.length - want.filled);
    if (want.target !== undefined) copyInto(want.target, piece.subarray(0, used), want.filled);
    want.filled += used;
    this.#piece = used === piece.length ? undefined : piece.subarray(used);
  }

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
