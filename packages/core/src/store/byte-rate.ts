import { type Clock, systemClock } from "@ovault/contract";

/** A wait for many bytes is cut into slices of this time, so that a few bytes need not wait for all of them. */
const SLICE_MS = 100;
/** Time left unused by idling or late timers can be made up to this amount. */
const SAVED_MS = 1000;

/** A token bucket, in time: every byte takes its share, and concurrent takers get it in turns. */
export class ByteRate {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** All time up to here is taken. */
  #takenUntilMs: number;

  constructor(bytesPerSecond: number, clock: Clock = systemClock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
    this.#takenUntilMs = clock.elapsedMs();
  }

  /** Resolves when `bytes` more may have moved. @throws the signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    for (let neededMs = bytes / this.#bytesPerMs; neededMs > 0; neededMs -= SLICE_MS) {
      signal.throwIfAborted();
      const nowMs = this.#clock.elapsedMs();
      this.#takenUntilMs = Math.max(this.#takenUntilMs, nowMs - SAVED_MS) + Math.min(neededMs, SLICE_MS);
      const waitMs = this.#takenUntilMs - nowMs;
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
    }
  }
}
