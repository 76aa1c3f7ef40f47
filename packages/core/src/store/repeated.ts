import { isTransient, StoreMediumError, type Clock, systemClock } from "@ovault/contract";
import type { Outage } from "./outage.ts";

export interface RetryPolicy {
  /**
   * How long a call is repeated, counted from its first failure. The last repetition comes at the end of that time.
   */
  readonly patienceMs: number;
  /**
   * Longest pause before the second call; doubles each time, up to 10 s. Each pause is random, from 0 to the longest.
   */
  readonly firstDelayMs: number;
}

/** For a store in use: long enough for a switch or a server to restart. */
export const DEFAULT_RETRIES: RetryPolicy = { patienceMs: 10 * 60_000, firstDelayMs: 250 };

/** For a store that has not answered yet, where a wrong address is more likely than an outage. */
export const BRIEF_RETRIES: RetryPolicy = { patienceMs: 8_000, firstDelayMs: 250 };

const LONGEST_DELAY_MS = 10_000;

export interface RepeatOptions {
  readonly policy?: RetryPolicy;
  readonly clock?: Clock;
  /** Shared by all calls to one store. */
  readonly outage?: Outage | undefined;
}

/** Repeats work that failed transiently. @throws its last error, or the signal's reason */
export async function repeated<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  options: RepeatOptions = {},
): Promise<T> {
  const repetition = new Repetition(signal, options);
  for (;;) {
    try {
      const answer = await work();
      repetition.succeeded();
      return answer;
    } catch (error) {
      await repetition.pauseAfter(error);
    }
  }
}

/** The failures in a row of one call. */
export class Repetition {
  readonly #signal: AbortSignal;
  readonly #policy: RetryPolicy;
  readonly #clock: Clock;
  readonly #outage: Outage | undefined;
  #failures = 0;
  #sinceMs = 0;

  constructor(signal: AbortSignal, { policy = DEFAULT_RETRIES, clock = systemClock, outage }: RepeatOptions) {
    this.#signal = signal;
    this.#policy = policy;
    this.#clock = clock;
    this.#outage = outage;
  }

  /** Returns when the call may be repeated, and throws the error when it may not, or the signal's reason. */
  async pauseAfter(error: unknown): Promise<void> {
    const { firstDelayMs } = this.#policy;
    if (this.#failures === 0) this.#sinceMs = this.#clock.elapsedMs();
    const patienceMs = this.#patienceFor(error);
    const leftMs = this.#sinceMs + patienceMs - this.#clock.elapsedMs();
    try {
      if (!isTransient(error) || leftMs <= 0 || this.#signal.aborted) throw error;
      if (this.#failures === 0) this.#outage?.enter(error, patienceMs);
      this.#failures += 1;
      const longestMs = Math.min(firstDelayMs * 2 ** (this.#failures - 1), LONGEST_DELAY_MS);
      // Full jitter: calls that failed together because the store was busy must not come back together.
      await this.#clock.sleep(Math.min(Math.random() * longestMs, leftMs), this.#signal);
    } catch (reason) {
      this.#leave(false);
      throw reason;
    }
  }

  /** The call succeeded, or came further than at its last failure: the next failure counts as its first. */
  succeeded(): void {
    this.#leave(true);
  }

  #leave(succeeded: boolean): void {
    if (this.#failures > 0) this.#outage?.leave({ succeeded });
    this.#failures = 0;
  }

  /** A store that answers but cannot read one place of its medium will not recover in minutes either. */
  #patienceFor(error: unknown): number {
    const { patienceMs } = this.#policy;
    return error instanceof StoreMediumError ? Math.min(patienceMs, BRIEF_RETRIES.patienceMs) : patienceMs;
  }
}
