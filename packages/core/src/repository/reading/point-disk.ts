import {
  CancelledError,
  copyInto,
  type DiskReader,
  type Extent,
  IntegrityError,
  settleAll,
  UsageError,
} from "@ovault/contract";
import { readLeaf } from "../block-map/block-map-leaves.ts";
import { PAGE_ENTRIES } from "../block-map/block-map-page.ts";
import type { BlockMapReader } from "../block-map/block-map-reader.ts";
import type { ChunkReader, RoomFor } from "../chunks/chunk-reader.ts";
import type { ChunkId } from "../../format/digest.ts";
import { release } from "../../util/release.ts";
import type { BlockCache, BlockPart, LoadBlocks } from "./block-cache.ts";
import { type BlockRange, ReadAhead } from "./read-ahead.ts";

/** A range of a disk, in bytes. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

export interface PointDiskOptions {
  /** Opened tolerantly, keeping enough leaves for random reads. */
  readonly map: BlockMapReader;
  readonly logicalBytes: number;
  readonly chunks: Pick<ChunkReader, "load" | "loadTogether">;
  readonly cache: BlockCache;
  readonly readAheadBytes: number;
  /** Called when the disk is closed. */
  readonly onClose: () => void;
}

/** Blocks loaded together: few enough that several such loads run at once. */
const MOST_TOGETHER = 4;

/**
 * One disk of a recovery point, for random reads. It proves every byte by its block's digest. A lost or damaged block
 * fails only the reads that touch it.
 */
export class PointDisk implements DiskReader {
  readonly logicalBytes: number;
  readonly #options: PointDiskOptions;
  readonly #readAhead: ReadAhead;
  readonly #blockBytes: number;
  readonly #together: number;
  /** Aborts the loads of pages, which all readers of the disk share. */
  readonly #closing = new AbortController();

  constructor(options: PointDiskOptions) {
    const { cache, map, readAheadBytes } = options;
    this.logicalBytes = options.logicalBytes;
    this.#options = options;
    this.#blockBytes = cache.blockBytes;
    this.#together = Math.max(1, Math.min(MOST_TOGETHER, Math.floor(cache.capacity / 4)));
    // Read-ahead must not evict what was fetched just before.
    const aheadBlocks = Math.min(Math.floor(readAheadBytes / cache.blockBytes), Math.floor(cache.capacity / 2));
    this.#readAhead = new ReadAhead(aheadBlocks, map.blockCount);
  }

  /** A block whose map cannot be read counts as data: reading it throws the error. */
  extents(signal: AbortSignal): AsyncIterable<Extent> {
    return this.extentsOf({ offset: 0, length: this.logicalBytes }, signal);
  }

  /** The extents of a range, cut to it. */
  async *extentsOf({ offset, length }: DiskRange, signal: AbortSignal): AsyncGenerator<Extent> {
    this.#assertInside({ offset, length });
    const end = offset + length;
    let run: Extent | undefined;
    for await (const { kind, first, count } of this.#runsOf(this.#blocksOf({ offset, length }), signal)) {
      const from = Math.max(offset, first * this.#blockBytes);
      const to = Math.min(end, (first + count) * this.#blockBytes);
      if (run?.kind === kind) {
        run = { ...run, length: run.length + to - from };
        continue;
      }
      if (run !== undefined) yield run;
      run = { offset: from, length: to - from, kind };
    }
    if (run !== undefined) yield run;
  }

  /** @throws IntegrityError for a block that no pack holds intact */
  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertInside({ offset, length: buffer.byteLength });
    const { cache } = this.#options;
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    if (buffer.byteLength === 0) return;
    const blocks = this.#blocksOf({ offset, length: buffer.byteLength });
    const missing: BlockPart[] = [];
    for (let block = blocks.first; block < blocks.end; block += 1) {
      const id = await this.#chunkOf(block);
      const from = Math.max(offset, block * this.#blockBytes);
      const to = Math.min(offset + buffer.byteLength, (block + 1) * this.#blockBytes);
      const into = buffer.subarray(from - offset, to - offset);
      if (id === null) {
        into.fill(0);
        continue;
      }
      const blockStart = block * this.#blockBytes;
      const blockLength = Math.min(this.#blockBytes, this.logicalBytes - blockStart);
      const part = { id, blockLength, start: from - blockStart, into };
      if (!cache.copyKept(part)) missing.push(part);
    }
    const ahead = this.#readAhead.next(blocks);
    const reads: Promise<void>[] = [];
    for (let at = 0; at < missing.length; at += this.#together) {
      reads.push(cache.read(missing.slice(at, at + this.#together), this.#loadBlocks, signal));
    }
    void this.#fetch(ahead);
    await settleAll(reads);
  }

  close(): Promise<void> {
    this.#closing.abort(new CancelledError("the disk was closed"));
    this.#options.onClose();
    return Promise.resolve();
  }

  /** Uses the disk's signal: other readers may wait for what one gives up. */
  #chunkOf(block: number): Promise<ChunkId | null> {
    return this.#options.map.chunkOf(block, this.#closing.signal);
  }

  async #fetch({ first, end }: BlockRange): Promise<void> {
    let ids: ChunkId[] = [];
    try {
      for (let block = first; block < end; block += 1) {
        const id = await this.#chunkOf(block);
        if (id !== null && !this.#options.cache.knows(id)) ids.push(id);
        if (ids.length < this.#together && block < end - 1) continue;
        this.#options.cache.prefetch(ids, this.#loadBlocks);
        ids = [];
      }
    } catch {
      // A read of these blocks meets the same error and throws it.
    }
  }

  readonly #loadBlocks: LoadBlocks = async (ids, slots, signal) => {
    const { chunks } = this.#options;
    const roomFor: RoomFor = (number, plainBytes) => {
      const slot = slots[number];
      return slot === undefined || plainBytes > slot.byteLength ? undefined : slot.subarray(0, plainBytes);
    };
    const loaded = await chunks.loadTogether(ids, roomFor, signal);
    return await Promise.all(
      ids.map(async (id, number) => {
        const together = loaded[number];
        if (together !== undefined) return together.byteLength;
        try {
          return this.#keep(await chunks.load(id, signal), slots[number]);
        } catch (error) {
          return { error };
        }
      }),
    );
  };

  #keep(plain: Uint8Array, slot: Uint8Array | undefined): number {
    const { byteLength } = plain;
    if (slot === undefined || byteLength > slot.byteLength) throw tooLarge(byteLength);
    copyInto(slot, plain);
    release(plain);
    return byteLength;
  }

  async *#runsOf({ first, end }: BlockRange, signal: AbortSignal) {
    for (let at = first; at < end;) {
      signal.throwIfAborted();
      const leaf = await readLeaf(this.#options.map, Math.floor(at / PAGE_ENTRIES), this.#closing.signal);
      if (leaf === undefined) return;
      const stop = Math.min(end, leaf.first + leaf.count);
      if (leaf.kind !== "blocks") {
        yield { kind: leaf.kind === "zero" ? "zero" : "data", first: at, count: stop - at } as const;
      } else {
        for (let block = at; block < stop; block += 1) {
          yield { kind: leaf.ids[block - leaf.first] === null ? "zero" : "data", first: block, count: 1 } as const;
        }
      }
      at = stop;
    }
  }

  #blocksOf({ offset, length }: DiskRange): BlockRange {
    return { first: Math.floor(offset / this.#blockBytes), end: Math.ceil((offset + length) / this.#blockBytes) };
  }

  #assertInside({ offset, length }: DiskRange): void {
    const isInside = Number.isSafeInteger(offset) && offset >= 0 && offset + length <= this.logicalBytes;
    if (isInside) return;
    throw new UsageError(`the disk has ${this.logicalBytes} bytes: ${length} at ${offset} do not lie in it`, {
      context: { offset, length, logicalBytes: this.logicalBytes },
    });
  }
}

function tooLarge(bytes: number): IntegrityError {
  return new IntegrityError(`a block has ${bytes} bytes, more than any of the repository`, { context: { bytes } });
}
