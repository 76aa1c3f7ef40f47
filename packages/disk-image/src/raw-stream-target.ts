import type { Writable } from "node:stream";

import { SourceError, systemErrorCode } from "@ovault/contract";

import { ImageFileError } from "./errors.ts";
import { MAX_WRITES, type ImageFileTarget } from "./image-file-target.ts";

/** Buffer written for zeros. */
const ZEROS = Buffer.alloc(1024 * 1024);

export interface RawStreamOptions {
  readonly stream: Writable;
  /** Name of the stream in messages. */
  readonly name: string;
  readonly diskId: string;
  readonly logicalBytes: number;
}

interface Waiting {
  readonly resume: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * A raw image as a stream of bytes, from first to last, zeros included. Data must begin in order, as a restore reads
 * it: early writes wait for their turn; `zero` may be called ahead of it. The caller ends the stream.
 */
export class RawStreamTarget implements ImageFileTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = MAX_WRITES;
  readonly path: string;
  readonly #stream: Writable;
  /** Ranges of zeros that the stream has not reached: lengths by offset. */
  readonly #zeros = new Map<number, number>();
  readonly #waiting = new Map<number, Waiting>();
  /** Bytes that the stream has accepted. */
  #position = 0;
  #writing = false;
  #failure: { readonly error: unknown } | undefined;

  constructor({ stream, name, diskId, logicalBytes }: RawStreamOptions) {
    this.#stream = stream;
    this.path = name;
    this.diskId = diskId;
    this.logicalBytes = logicalBytes;
    // The write reports the failure; without a listener the event would end the process.
    stream.on("error", this.#onError);
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#turn(offset, signal);
    await this.#whileWriting(() => this.#put(data));
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    if (length === 0) return;
    this.#zeros.set(offset, length);
    if (!this.#writing && offset === this.#position) await this.#whileWriting(async () => signal.throwIfAborted());
  }

  async flush(): Promise<void> {
    this.#throwIfFailed();
    if (this.#position === this.logicalBytes) return;
    throw new SourceError(`${this.#position} of ${this.logicalBytes} bytes were written to ${this.path}`);
  }

  async finish(): Promise<void> {
    await this.flush();
    this.#stream.off("error", this.#onError);
  }

  async abort(): Promise<void> {
    this.#fail(new ImageFileError(`${this.path} was given up after ${this.#position} bytes`));
  }

  /** Waits until everything before `offset` is written. */
  async #turn(offset: number, signal: AbortSignal): Promise<void> {
    this.#throwIfFailed();
    if (offset === this.#position && !this.#writing) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.set(offset, { resume: resolve, fail: reject });
    try {
      if (signal.aborted) onAbort();
      await promise;
    } finally {
      this.#waiting.delete(offset);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** After `work`, writes the zeros that follow, then wakes the next waiting write. */
  async #whileWriting(work: () => Promise<void>): Promise<void> {
    this.#writing = true;
    try {
      await work();
      for (let length = this.#reached(); length > 0; length = this.#reached()) await this.#putZeros(length);
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#writing = false;
    }
    this.#waiting.get(this.#position)?.resume();
  }

  #reached(): number {
    const length = this.#zeros.get(this.#position) ?? 0;
    this.#zeros.delete(this.#position);
    return length;
  }

  async #putZeros(length: number): Promise<void> {
    for (let left = length; left > 0; left -= ZEROS.length)
      await this.#put(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }

  async #put(data: Uint8Array): Promise<void> {
    this.#throwIfFailed();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(data, (error) => (error == null ? resolve() : reject(this.#asImageError(error))));
    await promise;
    this.#position += data.length;
  }

  readonly #onError = (error: Error): void => this.#fail(this.#asImageError(error));

  #asImageError(error: Error): ImageFileError {
    const code = systemErrorCode(error);
    const after = `after ${this.#position} of ${this.logicalBytes} bytes`;
    const reason = code === "EPIPE" ? "its reader went away" : `writing failed (${code ?? error.message})`;
    return new ImageFileError(`${this.path}: ${reason} ${after}`, { cause: error });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { fail } of this.#waiting.values()) fail(this.#failure.error);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
