import { setImmediate as turn } from "node:timers/promises";

import type { Clock } from "@ovault/contract";

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** Time that stands still until all tasks sleep, and then jumps to the next wake-up. */
export class SimulatedClock implements Clock {
  #elapsedMs = 0;
  readonly #sleepers = new Set<Sleeper>();
  #running = false;

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#elapsedMs);
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { untilMs: this.#elapsedMs + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    const leave = (): void => {
      this.#sleepers.delete(sleeper);
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave);
    if (!this.#running) void this.#run();
    await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      await turn();
      const [next] = [...this.#sleepers].toSorted((a, b) => a.untilMs - b.untilMs);
      if (next === undefined) break;
      this.#sleepers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.untilMs);
      next.wake();
    }
    this.#running = false;
  }
}
