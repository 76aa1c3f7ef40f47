import { setTimeout as sleep } from "node:timers/promises";

import { isTransient } from "@ovault/contract";

import type { HostLosses } from "./host-losses.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

export interface OutageOptions {
  /** How long a host that does not answer is waited for. */
  readonly patienceMs: number;
  readonly losses?: HostLosses | undefined;
  /** Called before a wait that is more than one more try, with what is waited through. */
  readonly onWait: (error: unknown, patienceMs: number) => void;
  /** False: the transfer is over, so that there is nothing to wait for. */
  readonly isAlive: (signal: AbortSignal) => Promise<boolean>;
}

/** What one request goes through while a host does not answer: a daemon or a switch that restarts takes a while. */
export class HostOutage {
  readonly #options: OutageOptions;
  #since: number | undefined;
  #failures = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the request is to be sent again: at once after the first failure, since a kept connection may just have
   * been closed by the other side, then after growing pauses. @throws the error when it is no use, or not any more
   */
  async pauseAfter(error: unknown, signal: AbortSignal): Promise<void> {
    const { patienceMs, losses, onWait, isAlive } = this.#options;
    if (!isTransient(error)) throw error;
    losses?.note();
    this.#since ??= performance.now();
    this.#failures += 1;
    if (this.#failures === 1) return;
    if (performance.now() - this.#since >= patienceMs || !(await isAlive(signal))) throw error;
    onWait(error, patienceMs);
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 2));
    await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
