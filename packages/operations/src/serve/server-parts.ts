/** The parts of a server, closed in the reverse order. */
export class ServerParts {
  readonly #closings: (() => Promise<void>)[] = [];

  onClose(close: () => Promise<void>): void {
    this.#closings.push(close);
  }

  /** Closes all, whichever fails. @throws the first failure */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closings.pop(); close !== undefined; close = this.#closings.pop()) {
      await close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
