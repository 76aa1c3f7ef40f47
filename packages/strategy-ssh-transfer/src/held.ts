/** What has to be released, in the reverse order. */
export class Held {
  readonly #releases: (() => Promise<void> | void)[] = [];

  /** `release` must not throw. */
  add(release: () => Promise<void> | void): void {
    this.#releases.push(release);
  }

  /** May be called twice. */
  async release(): Promise<void> {
    for (let next = this.#releases.pop(); next !== undefined; next = this.#releases.pop()) await next();
  }
}
