import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { ChunkId } from "../format/digest.ts";
import type { Repository } from "../repository/repository.ts";
import { SinglePages } from "../repository/single-pages.ts";

export interface SecondCopiesOptions {
  /** Puts nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** Stores the second copy of pages that have only one: a pack was lost, or an earlier release wrote them. */
export class SecondCopies {
  readonly #dryRun: boolean;
  readonly #writer: ChunkWriter;
  readonly #single: SinglePages;

  constructor(repository: Repository, { dryRun, signal }: SecondCopiesOptions) {
    this.#dryRun = dryRun;
    this.#writer = repository.writer(signal);
    this.#single = new SinglePages(repository.index);
  }

  /** Number of pages with one copy. */
  get pages(): number {
    return this.#single.count;
  }

  /** Adds a page of a block map that was read. */
  async see(id: ChunkId, page: Uint8Array): Promise<void> {
    if (!this.#single.see(id)) return;
    if (!this.#dryRun) await this.#writer.store("pages", id, page);
  }

  /** When this resolves, all copies are durable. */
  async finish(): Promise<void> {
    await this.#writer.finish();
  }

  async idle(): Promise<void> {
    await this.#writer.idle();
  }
}
