/** Tables of one layer together, at most; always room for a few. */
const CACHE_BYTES = 16 * 1024 * 1024;
const FEWEST_TABLES = 4;

/** The L2 tables used last. A table that several readers want at once is read once. */
export class TableCache {
  readonly #capacity: number;
  /** Oldest first. */
  readonly #tables = new Map<number, Promise<Buffer>>();

  constructor(tableBytes: number) {
    this.#capacity = Math.max(FEWEST_TABLES, Math.floor(CACHE_BYTES / tableBytes));
  }

  async get(index: number, read: () => Promise<Buffer>): Promise<Buffer> {
    const known = this.#tables.get(index);
    const table = known ?? read();
    this.#tables.delete(index);
    this.#tables.set(index, table);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size > this.#capacity && oldest !== undefined) this.#tables.delete(oldest);
    try {
      return await table;
    } catch (error) {
      // Another try may succeed.
      if (this.#tables.get(index) === table) this.#tables.delete(index);
      throw error;
    }
  }
}
