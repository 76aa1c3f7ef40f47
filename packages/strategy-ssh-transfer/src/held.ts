/** For a host to end what ovault runs there. */
const PATIENCE_MS = 5_000;

/** What has to be released, in the reverse order. */
export class Held {
  readonly #releases: (() => Promise<void> | void)[] = [];

  /** `release` must not throw. */
  add(release: () => Promise<void> | void): void {
    this.#releases.push(release);
  }

  /**
   * Parts of it, one for each host, that are released side by side: one host must not hold up the others.
   * @param onSilence receives each host, once, whose release takes long
   */
  perHost(hosts: readonly string[], onSilence: (host: string) => void): readonly Held[] {
    const parts = hosts.map((host) => ({ host, held: new Held() }));
    const silent = new Set<string>();
    const report = (host: string): void => {
      if (!silent.has(host)) onSilence(host);
      silent.add(host);
    };
    this.add(async () => {
      const releases = parts.map(async ({ host, held }) => {
        const patience = setTimeout(report, PATIENCE_MS, host);
        await held.release();
        clearTimeout(patience);
      });
      await Promise.all(releases);
    });
    return parts.map(({ held }) => held);
  }

  /** May be called twice. */
  async release(): Promise<void> {
    for (let next = this.#releases.pop(); next !== undefined; next = this.#releases.pop()) await next();
  }
}
