import { setTimeout as sleep } from "node:timers/promises";

import { CancelledError } from "@ovault/contract";

/** Work that the engine continues after its answer. Every wait is a number of steps of one length. */
export class Background {
  readonly stepMs: number;
  readonly #stopping = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  constructor(stepMs: number, onError: (error: unknown) => void) {
    this.stepMs = stepMs;
    this.#onError = onError;
  }

  /** Starts work in the background. Reports its errors, unless the engine is stopping. */
  start(work: () => Promise<void>): void {
    const settled = work()
      .catch((error: unknown) => {
        if (!this.stopping) this.#onError(error);
      })
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Aborted when the engine stops. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Waits for this number of steps. @throws CancelledError when the engine stops. */
  async steps(count = 1): Promise<void> {
    try {
      await sleep(this.stepMs * count, undefined, { signal: this.#stopping.signal });
    } catch (error) {
      throw new CancelledError("the engine is stopping", { cause: error });
    }
  }

  /** Aborts every wait and resolves when no work is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}
