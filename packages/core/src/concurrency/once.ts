/**
 * Work that is done once for all callers, unless it fails. Each caller has its own signal: if the first one failed or
 * was cancelled, another starts the work again.
 */
export class Once {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  #done: Promise<void> | undefined;

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#work = work;
  }

  async run(signal: AbortSignal): Promise<void> {
    const others = this.#done;
    const done = (this.#done ??= this.#work(signal));
    try {
      await done;
    } catch (error) {
      if (this.#done === done) this.#done = undefined;
      if (others === undefined) throw error;
      signal.throwIfAborted();
      await this.run(signal);
    }
  }
}
