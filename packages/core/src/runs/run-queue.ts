/** Something that a limited number of runs may load at once. */
export interface Resource {
  readonly name: string;
  /** At least 1. */
  readonly permits: number;
}

interface QueuedRun {
  readonly resources: readonly Resource[];
  readonly start: () => void;
}

/** A run with its permits, until it has copied and a place among the finalizing runs is free. */
interface CopyingRun {
  readonly resources: readonly Resource[];
  copied: boolean;
}

/**
 * Starts runs, first come, first served, as the permits of all their resources allow. A run that cannot start yet does
 * not block later ones: no permit stays idle while a queued run could start with it.
 *
 * A run that has copied hands its permits on and finalizes without them, unless `finalizing` others already do so. It
 * then finalizes without waiting, for what it holds on the manager grows with time, but keeps its permits, so that no
 * other run starts.
 */
export class RunQueue {
  readonly #finalizingLimit: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Set<QueuedRun>();
  /** Runs that have copied and still hold permits, in the order in which they finished copying. */
  readonly #copied = new Set<CopyingRun>();
  #finalizing = 0;

  /** `finalizing`: maximum number of runs that finalize without permits. */
  constructor(options: { readonly finalizing: number }) {
    this.#finalizingLimit = options.finalizing;
  }

  /**
   * Starts `work` when permits for all resources are free; it takes one of each. `work` calls `copied` when it no
   * longer loads them, and must observe the signal itself. `onWait` receives what has no permit left, before a wait.
   * @throws the signal's reason, without starting, when it is aborted before
   */
  async run<T>(
    resources: readonly Resource[],
    signal: AbortSignal,
    work: (copied: () => void) => Promise<T>,
    onWait?: (names: readonly string[]) => void,
  ): Promise<T> {
    await this.#turn(resources, signal, onWait);
    const run: CopyingRun = { resources, copied: false };
    try {
      return await work(() => this.#copiedBy(run));
    } finally {
      this.#end(run);
    }
  }

  /** Resolves once it has taken the permits. */
  async #turn(
    resources: readonly Resource[],
    signal: AbortSignal,
    onWait: ((names: readonly string[]) => void) | undefined,
  ): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const queued: QueuedRun = { resources, start: resolve };
    const leave = (): void => {
      if (this.#waiting.delete(queued)) reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.add(queued);
    this.#startWaiting();
    if (this.#waiting.has(queued)) onWait?.(resources.filter((one) => !this.#isFree(one)).map(({ name }) => name));
    await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  #startWaiting(): void {
    for (const queued of this.#waiting) {
      const { resources } = queued;
      if (!resources.every((one) => this.#isFree(one))) continue;
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

  /** Takes back permits from runs that have copied, up to the limit, and starts others with them. */
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

  #isFree({ name, permits }: Resource): boolean {
    return this.#takenOf(name) < permits;
  }

  #takenOf(name: string): number {
    return this.#taken.get(name) ?? 0;
  }
}
