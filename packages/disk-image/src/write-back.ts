/** What is written between two beginnings: enough for the disk to be worth it. */
const STEP_BYTES = 128 * 1024 * 1024;

/**
 * Has what was written brought to the disk while more is written, so that the end need not wait for all of it. The kernel
 * tells of an error once: what failed in between fails the end.
 */
export class WriteBack {
  readonly #flush: () => Promise<void>;
  #written = 0;
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param flush brings to the disk whatever was written until it is called */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /** So many bytes more were written; does not wait for any flush. @throws what an earlier one ended in */
  async note(bytes: number): Promise<void> {
    this.#rethrow();
    this.#written += bytes;
    if (this.#written < STEP_BYTES || this.#pending !== undefined) return;
    this.#written = 0;
    this.#pending = this.#flush()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#pending = undefined;
      });
  }

  /** Nothing is under way when this resolves. @throws what an earlier flush ended in */
  async settle(): Promise<void> {
    await this.#pending;
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
