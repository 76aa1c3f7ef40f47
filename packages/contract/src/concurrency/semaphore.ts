/** Releases the permit of an idle holder; returns true if one will become free. */
export type Reclaim = () => boolean;

/** Limits concurrency: hands out a fixed number of permits, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();
  readonly #reclaims = new Set<Reclaim>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** True while something waits: an idle holder should give its permit back rather than keep it. */
  get contended(): boolean {
    return this.#waiting.size > 0;
  }

  /** A holder that keeps a permit while idle registers how to reclaim it. Returns a function that unregisters. */
  onScarcity(reclaim: Reclaim): () => void {
    this.#reclaims.add(reclaim);
    return () => this.#reclaims.delete(reclaim);
  }

  /** @throws the signal's reason, without starting the work, when it is aborted before a permit is free */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.acquire(signal);
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.release();
    }
  }

  /** @throws the signal's reason; holds nothing then */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      if (this.#waiting.delete(resolve)) reject(signal.reason);
    };
    this.#waiting.add(resolve);
    signal.addEventListener("abort", leave, { once: true });
    for (const reclaim of this.#reclaims) if (reclaim()) break;
    await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  /** Hands the permit to the longest waiter, so that a newcomer cannot take it. */
  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
