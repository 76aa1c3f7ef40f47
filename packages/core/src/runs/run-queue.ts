/** Something that bears so many runs at once. */
export interface Resource {
  readonly name: string;
  /** From 1. */
  readonly permits: number;
}

interface QueuedRun {
  readonly resources: readonly Resource[];
  readonly start: () => void;
}

/** A run that has its permits, until it is copied and there is room among those that finalize. */
interface CopyingRun {
  readonly resources: readonly Resource[];
  copied: boolean;
}

/**
 * Lets runs copy as long as everything they load bears one more. Who came first goes first, but nobody waits for somebody
 * who cannot start yet: a permit is never idle while there is a run that it is enough for.
 *
 * A run that is copied gives its permits to the next while it goes on, unless `finalizing` others do so already. It is not
 * held up then, for what it holds on the manager grows with time; it keeps its permits, so that nobody new starts.
 */
export class RunQueue {
  readonly #finalizingLimit: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Set<QueuedRun>();
  /** In the order in which they were copied, as far as they are. */
  readonly #copied = new Set<CopyingRun>();
  #finalizing = 0;

  /** `finalizing`: how many runs may go on without their permits at once. */
  constructor(options: { readonly finalizing: number }) {
    this.#finalizingLimit = options.finalizing;
  }

  /**
   * Starts `work` when there are permits for all resources, each of which counts once. `copied` is to be called when the
   * run loads them no more. `work` has to heed the signal itself.
   * @throws the signal's reason, without starting, when it is aborted before
   */
  async run<T>(
    resources: readonly Resource[],
    signal: AbortSignal,
    work: (copied: () => void) => Promise<T>,
  ): Promise<T> {
    await this.#turn(resources, signal);
    const run: CopyingRun = { resources, copied: false };
    try {
      return await work(() => this.#copiedBy(run));
    } finally {
      this.#end(run);
    }
  }

  /** Resolves with the permits taken. */
  async #turn(resources: readonly Resource[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const queued: QueuedRun = { resources, start: resolve };
    const leave = (): void => {
      if (this.#waiting.delete(queued)) reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.add(queued);
    this.#startWaiting();
    await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  #startWaiting(): void {
    for (const queued of this.#waiting) {
      const { resources } = queued;
      if (!resources.every(({ name, permits }) => this.#takenOf(name) < permits)) continue;
      for (const { name } of resources) this.#taken.set(name, this.#takenOf(name) + 1);
      this.#waiting.delete(queued);
      queued.start();
    }
  }

  #copiedBy(run: CopyingRun): void {
    if (run.copied) return;
    run.copied = true;
    this.#copied.add(run);
    this.#makeRoom();
  }

  #end(run: CopyingRun): void {
    if (!run.copied || this.#copied.delete(run)) this.#giveBack(run);
    else this.#finalizing -= 1;
    run.copied = true;
    this.#makeRoom();
  }

  /** Lets those that are copied go on without permits, as far as they may, and others start with them. */
  #makeRoom(): void {
    for (const run of this.#copied) {
      if (this.#finalizing >= this.#finalizingLimit) break;
      this.#finalizing += 1;
      this.#copied.delete(run);
      this.#giveBack(run);
    }
    this.#startWaiting();
  }

  #giveBack({ resources }: CopyingRun): void {
    for (const { name } of resources) {
      const left = this.#takenOf(name) - 1;
      if (left === 0) this.#taken.delete(name);
      else this.#taken.set(name, left);
    }
  }

  #takenOf(name: string): number {
    return this.#taken.get(name) ?? 0;
  }
}
