import { setTimeout as delay } from "node:timers/promises";

/** Time as a component sees it; tests bring their own. */
export interface Clock {
  /** Wall-clock time: may jump, and differs between machines. */
  now(): Date;
  /** Monotonic milliseconds since an arbitrary moment. */
  elapsedMs(): number;
  /** @throws the signal's reason */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  elapsedMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};
