/** Notices when nothing of what is under way has ended for a while. */
export class StallWatch {
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #pending = 0;
  #progressAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, onStall: () => void) {
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  async watch<T>(work: Promise<T>): Promise<T> {
    if (this.#pending === 0) this.#progressAt = performance.now();
    this.#pending += 1;
    this.#timer ??= setInterval(() => this.#check(), this.#limitMs / 4).unref();
    try {
      return await work;
    } finally {
      this.#pending -= 1;
      this.#progressAt = performance.now();
      if (this.#pending === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }

  #check(): void {
    if (performance.now() - this.#progressAt >= this.#limitMs) this.#onStall();
  }
}
