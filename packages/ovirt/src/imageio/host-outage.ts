import { setTimeout as sleep } from "node:timers/promises";

import { isTransient } from "@ovault/contract";

import type { HostLosses } from "./host-losses.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

export interface OutageOptions {
  /** How long to wait for a host that does not answer. */
  readonly patienceMs: number;
  readonly losses?: HostLosses | undefined;
  /** Called before a wait that is more than one retry, with the error that causes it. */
  readonly onWait: (error: unknown, patienceMs: number) => void;
  /** False: the transfer is over, so that waiting is useless. */
  readonly isAlive: (signal: AbortSignal) => Promise<boolean>;
}

/** Retries of one request while a host does not answer: a daemon or a switch takes a while to restart. */
export class HostOutage {
  readonly #options: OutageOptions;
  #since: number | undefined;
  #failures = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /**
   * Resolves when to retry: at once after the first failure, since the other side may just have closed a kept
   * connection, then after growing pauses. @throws the error when retrying is useless
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
