/** Measures a rate over a sliding window, so that it follows changes but does not flicker. Times in ms, from any origin. */
export class RateMeter {
  readonly #windowMs: number;
  readonly #samples: { readonly at: number; readonly total: number }[] = [];

  constructor(windowMs = 8_000) {
    this.#windowMs = windowMs;
  }

  /** `total` is the running sum at time `at`; neither may decrease. */
  sample(at: number, total: number): void {
    this.#samples.push({ at, total });
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) <= at - this.#windowMs) this.#samples.shift();
  }

  /** Per second; 0 until two samples differ in time. */
  get perSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return ((last.total - first.total) / (last.at - first.at)) * 1000;
  }
}
