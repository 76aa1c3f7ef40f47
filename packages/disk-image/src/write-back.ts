/** Bytes written between two flushes: enough to be worth one. */
const STEP_BYTES = 128 * 1024 * 1024;

/**
 * Flushes written data to the disk while more is written, so that the end need not wait for all of it. The kernel
 * reports an error once, so an error of an earlier flush fails the end.
 */
export class WriteBack {
  readonly #flush: () => Promise<void>;
  #written = 0;
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param flush makes durable whatever was written before the call */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /** Counts written bytes; does not wait for any flush. @throws the error of an earlier flush */
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

  /** Waits for the flush under way. @throws the error of an earlier flush */
  async settle(): Promise<void> {
    await this.#pending;
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
