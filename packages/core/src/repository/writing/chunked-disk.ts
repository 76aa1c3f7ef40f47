import type { BlockMapReader } from "../block-map/block-map-reader.ts";
import { BlockMapWriter } from "../block-map/block-map-writer.ts";
import type { BlockSink, StoredBlock } from "../../pipeline/backup-disk.ts";
import { sameId, type ChunkId } from "../../format/digest.ts";

/** Stores each chunk and page once. */
export interface ChunkSink {
  /** Id of these bytes, computed off the main thread. They must not change meanwhile. */
  idOf(plain: Uint8Array): Promise<ChunkId>;
  /** Resolves to the bytes added, 0 when the chunk was known. */
  store(kind: "data" | "pages", id: ChunkId, plain: Uint8Array): Promise<number>;
}

/** One disk as chunks and a block map. */
export class ChunkedDisk implements BlockSink {
  readonly #sink: ChunkSink;
  readonly #base: BlockMapReader | undefined;
  readonly #map: BlockMapWriter;

  constructor(sink: ChunkSink, blockCount: number, base: BlockMapReader | undefined) {
    this.#sink = sink;
    this.#base = base;
    this.#map = new BlockMapWriter(blockCount, (page) => this.#storePage(page), base);
  }

  async put(block: number, plain: Uint8Array, signal: AbortSignal): Promise<StoredBlock> {
    const id = await this.#sink.idOf(plain);
    signal.throwIfAborted();
    const before = await this.#before(block, signal);
    const same = before !== null && sameId(before, id);
    const storedBytes = await this.#sink.store("data", id, plain);
    await this.#map.set(block, id);
    return { kind: same ? "unchanged" : storedBytes > 0 ? "new" : "known", storedBytes };
  }

  async fill(first: number, count: number, kind: "zero" | "unchanged", signal: AbortSignal): Promise<void> {
    await this.#map.fill(first, count, kind, signal);
  }

  /** Resolves to the root of the block map, or null for a disk of zeros. Not durable until the sink is finished. */
  async finish(): Promise<ChunkId | null> {
    return await this.#map.finish();
  }

  async #before(block: number, signal: AbortSignal): Promise<ChunkId | null> {
    const base = this.#base;
    return base === undefined || block >= base.blockCount ? null : await base.chunkOf(block, signal);
  }

  async #storePage(page: Uint8Array): Promise<ChunkId> {
    const id = await this.#sink.idOf(page);
    await this.#sink.store("pages", id, page);
    return id;
  }
}
