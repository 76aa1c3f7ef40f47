import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { ChunkId } from "../format/digest.ts";
import type { Repository } from "../repository/repository.ts";
import { SinglePages } from "../repository/single-pages.ts";

export interface SecondCopiesOptions {
  /** Nothing is put. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** Stores the second copy of pages that have one only: its pack was lost, or an earlier release wrote them. */
export class SecondCopies {
  readonly #dryRun: boolean;
  readonly #writer: ChunkWriter;
  readonly #single: SinglePages;

  constructor(repository: Repository, { dryRun, signal }: SecondCopiesOptions) {
    this.#dryRun = dryRun;
    this.#writer = repository.writer(signal);
    this.#single = new SinglePages(repository.index);
  }

  /** How many had one copy only. */
  get pages(): number {
    return this.#single.count;
  }

  /** A page of a block map that was read. */
  async see(id: ChunkId, page: Uint8Array): Promise<void> {
    if (!this.#single.see(id)) return;
    if (!this.#dryRun) await this.#writer.store("pages", id, page);
  }

  /** All are durable when this resolves. */
  async finish(): Promise<void> {
    await this.#writer.finish();
  }

  async idle(): Promise<void> {
    await this.#writer.idle();
  }
}
