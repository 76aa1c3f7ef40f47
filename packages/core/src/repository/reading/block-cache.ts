import { CancelledError, copyInto, IntegrityError, settleAll } from "@ovault/contract";
import type { ChunkId } from "../../format/digest.ts";
import { toHex } from "../../util/hex.ts";

/** A part of a block, and its destination. */
export interface BlockPart {
  readonly id: ChunkId;
  /** Length of the whole block: any other length is damage. */
  readonly blockLength: number;
  /** Offset of the part in the block, in bytes. */
  readonly start: number;
  readonly into: Uint8Array;
}

/**
 * Loads blocks into `slots`, one each, all of the same size. Answers for each block how many of its slot's bytes it
 * fills, or why it could not be read. A rejection counts as the error of all of them.
 */
export type LoadBlocks = (
  ids: readonly ChunkId[],
  slots: readonly Uint8Array[],
  signal: AbortSignal,
) => Promise<readonly (number | { readonly error: unknown })[]>;

/** One reader's part of a block that is being loaded. */
interface Waiter {
  readonly part: BlockPart;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

type Entry =
  | { readonly state: "loading"; readonly waiters: Set<Waiter> }
  | { readonly state: "kept"; readonly slot: Uint8Array; readonly bytes: number };

/**
 * Decoded blocks in memory, by id, shared by disks and points that share a block. Concurrent readers of a block share
 * one load.
 *
 * Memory is bounded: there are `capacity` slots of one block each, in shared memory, so that worker threads decode into
 * them. A load waits for slots, which come from the least recently used blocks. Bytes are copied out of a slot as soon
 * as they are asked for or arrive, so that only its load holds a slot.
 */
export class BlockCache {
  readonly blockBytes: number;
  /** Number of blocks. */
  readonly capacity: number;
  /** Most recently used last. */
  readonly #entries = new Map<string, Entry>();
  readonly #free: Uint8Array[] = [];
  readonly #closing = new AbortController();
  #made = 0;
  /** Loads that wait for `count` slots, first come first served. */
  readonly #queue: { readonly count: number; readonly take: (slots: Uint8Array[]) => void }[] = [];

  /** @param cacheBytes at least one block */
  constructor(cacheBytes: number, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.capacity = Math.max(1, Math.floor(cacheBytes / blockBytes));
  }

  /** Copies the part out if its block is in memory. @throws IntegrityError when the block has the wrong length */
  copyKept(part: BlockPart): boolean {
    const key = keyOf(part.id);
    const entry = this.#entries.get(key);
    if (entry?.state !== "kept") return false;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    copyOut(entry, part);
    return true;
  }

  /** Whether a block is in memory or being loaded. */
  knows(id: ChunkId): boolean {
    return this.#entries.has(keyOf(id));
  }

  /** Whether a load would have to wait for slots. */
  get isBusy(): boolean {
    return this.#queue.length > 0;
  }

  /** Ends all loads. No reads are possible any more. */
  close(): void {
    this.#closing.abort(new CancelledError("the cache of blocks was closed"));
  }

  /**
   * Fills all parts. Loads missing blocks together, at most `capacity` of them.
   * @throws the error of one failed load, after the other loads have ended; the signal's reason at once, while loads go
   * on for other readers. Nothing writes into a part any more then.
   */
  async read(parts: readonly BlockPart[], load: LoadBlocks, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const missing = new Map<string, ChunkId>();
    const waits: Promise<void>[] = [];
    for (const part of parts) {
      if (this.copyKept(part)) continue;
      waits.push(this.#waitFor(part, missing, signal));
    }
    if (missing.size > 0) void this.#load([...missing.values()], load);
    await settleAll(waits);
  }

  /** Loads blocks that will probably be read soon, unless other loads wait for slots. Failures surface in the reads. */
  prefetch(ids: readonly ChunkId[], load: LoadBlocks): void {
    if (this.isBusy || this.#closing.signal.aborted) return;
    const missing = new Map<string, ChunkId>();
    for (const id of ids) {
      const key = keyOf(id);
      if (this.#entries.has(key)) continue;
      this.#entries.set(key, { state: "loading", waiters: new Set() });
      missing.set(key, id);
    }
    if (missing.size > 0) void this.#load([...missing.values()], load);
  }

  #waitFor(part: BlockPart, missing: Map<string, ChunkId>, signal: AbortSignal): Promise<void> {
    const key = keyOf(part.id);
    let entry = this.#entries.get(key);
    if (entry?.state !== "loading") {
      entry = { state: "loading", waiters: new Set() };
      this.#entries.set(key, entry);
      missing.set(key, part.id);
    }
    const { waiters } = entry;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiters.delete(waiter);
        reject(signal.reason);
      };
      const settle = (): void => signal.removeEventListener("abort", leave);
      const waiter: Waiter = {
        part,
        done: () => (settle(), resolve()),
        failed: (error) => (settle(), reject(error)),
      };
      waiters.add(waiter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Never rejects: each waiting reader gets its block's error. */
  async #load(ids: readonly ChunkId[], load: LoadBlocks): Promise<void> {
    const slots = await this.#takeSlots(ids.length);
    let answers: readonly (number | { readonly error: unknown })[];
    try {
      answers = await load(ids, slots, this.#closing.signal);
    } catch (error) {
      answers = ids.map(() => ({ error }));
    }
    for (const [number, slot] of slots.entries()) {
      const answer = answers[number] ?? { error: new RangeError("a block was asked for and not answered") };
      this.#settle(keyOf(ids[number] ?? new Uint8Array()), slot, answer);
    }
    this.#serveQueue();
  }

  #settle(key: string, slot: Uint8Array, answer: number | { readonly error: unknown }): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    const waiters = entry?.state === "loading" ? entry.waiters : [];
    if (typeof answer !== "number") {
      this.#free.push(slot);
      for (const waiter of waiters) waiter.failed(answer.error);
      return;
    }
    const kept = { state: "kept", slot, bytes: answer } as const;
    this.#entries.set(key, kept);
    for (const { part, done, failed } of waiters) {
      try {
        copyOut(kept, part);
        done();
      } catch (error) {
        failed(error);
      }
    }
  }

  #takeSlots(count: number): Promise<Uint8Array[]> {
    return new Promise((take) => {
      this.#queue.push({ count, take });
      this.#serveQueue();
    });
  }

  #serveQueue(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (!this.#makeSlots(next.count)) return;
      this.#queue.shift();
      next.take(this.#free.splice(0, next.count));
    }
  }

  /** Whether `count` slots are free, after evicting least recently used blocks. */
  #makeSlots(count: number): boolean {
    while (this.#free.length < count && this.#made < this.capacity) {
      this.#made += 1;
      this.#free.push(new Uint8Array(new SharedArrayBuffer(this.blockBytes)));
    }
    if (this.#free.length >= count) return true;
    for (const [key, entry] of this.#entries) {
      if (entry.state !== "kept") continue;
      this.#entries.delete(key);
      this.#free.push(entry.slot);
      if (this.#free.length >= count) return true;
    }
    return false;
  }
}

function copyOut(
  { slot, bytes }: Extract<Entry, { readonly state: "kept" }>,
  { id, blockLength, start, into }: BlockPart,
): void {
  if (bytes !== blockLength) {
    const chunk = toHex(id);
    throw new IntegrityError(`chunk ${chunk} has ${bytes} bytes where a block of ${blockLength} belongs`, {
      context: { chunk, bytes, blockLength },
    });
  }
  copyInto(into, slot.subarray(start, start + into.byteLength));
}

function keyOf(id: ChunkId): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1");
}
