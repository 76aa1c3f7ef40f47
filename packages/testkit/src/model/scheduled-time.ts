import type { Scheduler } from "fast-check";

import type { Clock } from "@ovault/contract";

/**
 * Time that passes only in sleeps, which end in any order the scheduler chooses. All clocks of one instance see the
 * same time pass; each has its own skew.
 */
export class ScheduledTime {
  #elapsedMs = 0;
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  clock(skewMs = 0): Clock {
    return {
      now: () => new Date(Date.UTC(2026, 0, 1) + this.#elapsedMs + skewMs),
      elapsedMs: () => this.#elapsedMs,
      sleep: async (ms, signal) => {
        signal.throwIfAborted();
        const until = this.#elapsedMs + ms;
        await this.#scheduler.schedule(Promise.resolve(), `sleep ${ms}`);
        this.#elapsedMs = Math.max(this.#elapsedMs, until);
        signal.throwIfAborted();
      },
    };
  }
}
