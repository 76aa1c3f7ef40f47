/** Gives back a permit that an idle holder keeps; true when one will come free by it. */
export type Reclaim = () => boolean;

/** A fixed number of permits, handed out in the order of asking: so many pieces of work run at once. */
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

  /** A holder that keeps a permit while it is idle registers how to get it back. Returns what ends that. */
  onScarcity(reclaim: Reclaim): () => void {
    this.#reclaims.add(reclaim);
    return () => this.#reclaims.delete(reclaim);
  }

  /** @throws the signal's reason, without starting the work, when it is aborted before there is a permit */
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

  /** The permit goes straight to what waits longest, so that a newcomer cannot snatch it. */
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
