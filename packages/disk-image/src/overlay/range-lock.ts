interface Held {
  readonly first: number;
  readonly end: number;
  readonly done: Promise<unknown>;
}

/** Lets work on overlapping ranges happen one after the other, in the order in which it was asked for. */
export class RangeLock {
  readonly #held = new Set<Held>();

  async run<T>(first: number, end: number, work: () => Promise<T>): Promise<T> {
    const before = [...this.#held].filter((held) => held.first < end && first < held.end);
    const waits = Promise.allSettled(before.map(({ done }) => done));
    const result = before.length === 0 ? work() : waits.then(work);
    const held = { first, end, done: result };
    this.#held.add(held);
    try {
      return await result;
    } finally {
      this.#held.delete(held);
    }
  }

  /** Resolves when all work that was asked for before has ended. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#held].map(({ done }) => done));
  }
}
