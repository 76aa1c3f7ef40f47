/** Caches an answer for a while. Does not cache failures. */
export class Recent<T> {
  readonly #maxAgeMs: number;
  #answer: { readonly value: Promise<T>; readonly until: number } | undefined;

  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  async get(ask: () => Promise<T>): Promise<T> {
    if (this.#answer === undefined || performance.now() > this.#answer.until) {
      this.#answer = { value: ask(), until: performance.now() + this.#maxAgeMs };
    }
    const asked = this.#answer;
    try {
      return await asked.value;
    } catch (error) {
      if (this.#answer === asked) this.#answer = undefined;
      throw error;
    }
  }
}
