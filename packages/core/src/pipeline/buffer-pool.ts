/**
 * A fixed number of buffers of one size. What is not in the pool is in a lane, so the pool is the bound on bytes in
 * flight. Waiters are served in order.
 */
export class BufferPool {
  readonly count: number;
  readonly bufferBytes: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  #left: number;

  constructor(count: number, bufferBytes: number) {
    this.count = count;
    this.bufferBytes = bufferBytes;
    this.#left = count;
  }

  /** Lends a buffer to `use` and takes it back when the promise settles. */
  async lend<R>(use: (buffer: Buffer) => Promise<R>): Promise<R> {
    const buffer = await this.#acquire();
    try {
      return await use(buffer);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(buffer);
      else next(buffer);
    }
  }

  #acquire(): Promise<Buffer> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#left > 0) {
      this.#left -= 1;
      return Promise.resolve(Buffer.allocUnsafeSlow(this.bufferBytes));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
