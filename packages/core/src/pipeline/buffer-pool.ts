/**
 * A fixed number of buffers of one size. Buffers outside the pool are in lanes, so the pool bounds the bytes in flight.
 * They lie in shared memory, so that worker threads see what a source has read without a copy. Waiters are served in
 * order.
 */
export class BufferPool {
  readonly count: number;
  readonly bufferBytes: number;
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((buffer: Uint8Array) => void)[] = [];
  #left: number;

  constructor(count: number, bufferBytes: number) {
    this.count = count;
    this.bufferBytes = bufferBytes;
    this.#left = count;
  }

  /** Lends a buffer to `use` and takes it back when the promise settles. */
  async lend<R>(use: (buffer: Uint8Array) => Promise<R>): Promise<R> {
    const buffer = await this.#acquire();
    try {
      return await use(buffer);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(buffer);
      else next(buffer);
    }
  }

  #acquire(): Promise<Uint8Array> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#left > 0) {
      this.#left -= 1;
      return Promise.resolve(new Uint8Array(new SharedArrayBuffer(this.bufferBytes)));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
