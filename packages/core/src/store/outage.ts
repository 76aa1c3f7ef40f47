import { type Clock, systemClock } from "@ovault/contract";

/** Receives reports of repeated calls; must not throw. */
export interface OutageObserver {
  /** A call failed with `error` and will be repeated for up to `patienceMs`. No other call was being repeated. */
  begins(error: unknown, patienceMs: number): void;
  /** Every repeated call has succeeded or ended, the last one successfully, `afterMs` after the first had failed. */
  ends(afterMs: number): void;
}

/** Counts the calls that one store is repeating, so that an outage is reported once, however many calls it fails. */
export class Outage {
  readonly #observer: OutageObserver;
  readonly #clock: Clock;
  #repeated = 0;
  #sinceMs = 0;

  constructor(observer: OutageObserver, clock: Clock = systemClock) {
    this.#observer = observer;
    this.#clock = clock;
  }

  /** One more call is going to be repeated. */
  enter(error: unknown, patienceMs: number): void {
    this.#repeated += 1;
    if (this.#repeated > 1) return;
    this.#sinceMs = this.#clock.elapsedMs();
    this.#observer.begins(error, patienceMs);
  }

  /** A call that entered has succeeded, or is repeated no more. */
  leave({ succeeded }: { readonly succeeded: boolean }): void {
    this.#repeated -= 1;
    if (this.#repeated === 0 && succeeded) this.#observer.ends(this.#clock.elapsedMs() - this.#sinceMs);
  }
}
