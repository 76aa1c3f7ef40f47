/** Maximum size of the cached tables of one layer; a few always fit. */
const CACHE_BYTES = 16 * 1024 * 1024;
const FEWEST_TABLES = 4;

/** Cache of the most recently used L2 tables. Concurrent readers of a table share one read. */
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
      // A retry may succeed.
      if (this.#tables.get(index) === table) this.#tables.delete(index);
      throw error;
    }
  }
}
