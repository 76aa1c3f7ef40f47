import { settleAll } from "@ovault/contract";

/** Things that are opened once for all callers, each by its name, and closed together. */
export class OpenedByName<T extends { close(): Promise<void> }> {
  readonly #opened = new Map<string, Promise<T>>();

  /** Callers at the same time share one opening. When it fails, the next caller tries again. */
  async get(name: string, open: () => Promise<T>): Promise<T> {
    const known = this.#opened.get(name);
    if (known !== undefined) return await known;
    const opened = open();
    this.#opened.set(name, opened);
    try {
      return await opened;
    } catch (error) {
      this.#opened.delete(name);
      throw error;
    }
  }

  /** Also closes what is being opened. */
  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#opened.values());
    await settleAll(opened.filter((one) => one.status === "fulfilled").map(({ value }) => value.close()));
  }
}
