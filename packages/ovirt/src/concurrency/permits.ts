/** Gives back what it holds for nobody's immediate need; true when a permit will come free by it. */
export type Reclaim = () => boolean;

interface Waiter {
  readonly grant: () => void;
}

/**
 * A fixed number of permits, handed out in order of asking. Used for the connections to one host, which several
 * transfers share, for those of one transfer, and for waits that take turns.
 *
 * Whoever keeps a permit for an idle connection registers a `Reclaim`, so that another transfer never starves.
 */
export class Permits {
  #free: number;
  readonly #waiting: Waiter[] = [];
  readonly #reclaims = new Set<Reclaim>();

  constructor(limit: number) {
    this.#free = limit;
  }

  /** True while somebody waits: an idle holder should give its permit back rather than keep it. */
  get contended(): boolean {
    return this.#waiting.length > 0;
  }

  onScarcity(reclaim: Reclaim): () => void {
    this.#reclaims.add(reclaim);
    return () => this.#reclaims.delete(reclaim);
  }

  /** @throws the signal's reason, and holds nothing then */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        grant: () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(waiter);
      for (const reclaim of this.#reclaims) if (reclaim()) break;
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.grant();
  }
}
