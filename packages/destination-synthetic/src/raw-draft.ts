import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

import { type ImageDraft, isZero, type ObjectKey, StoreError } from "@ovault/contract";
import { mapSystemError } from "@ovault/destination-filesystem";

import { blockParts, runsOf } from "./block-ranges.ts";
import { type BlockSums, SUM_BLOCK_BYTES } from "./block-sums.ts";
import { punchHole } from "./punch-hole.ts";
import { proveBlock } from "./prove-block.ts";
import { readFully } from "./read-fully.ts";

/** Bytes between two checks of the signal, where zeros have to be written. */
const ZEROS = Buffer.alloc(1024 * 1024);

export interface RawDraftOptions {
  readonly key: ObjectKey;
  readonly root: string;
  /** Of the disk, as long as the image, for reading and writing. */
  readonly handle: FileHandle;
  /** What the file holds now. */
  readonly sums: BlockSums;
  /** Gives the image its name; called when disk and checksums are durable in the draft. */
  readonly publish: (sums: Uint8Array) => Promise<void>;
  /** Removes the draft. Never throws. */
  readonly discard: () => Promise<void>;
}

/** An image that is being written. Keeps its checksums while it writes, so that nothing is read a second time. */
export class RawDraft implements ImageDraft {
  readonly #options: RawDraftOptions;
  /** Blocks of which a part was written, or may have been: `commit` reads them. */
  readonly #unsummed = new Set<number>();
  /** Blocks whose content was proved before a part of it was written. */
  readonly #proved = new Map<number, Promise<void>>();
  #state: "open" | "committed" | "aborted" = "open";

  constructor(options: RawDraftOptions) {
    this.#options = options;
  }

  async write(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertOpen(offset, bytes.byteLength, signal);
    await this.#mapped(async () => {
      await this.#prove(offset, bytes.byteLength);
      for (const run of runsOf(this.#partsOf(offset, bytes))) {
        const part = bytes.subarray(run.offset - offset, run.offset - offset + run.length);
        if (run.kind === "zero") await this.#clear(run.offset, run.length, signal);
        else await this.#put(run.offset, part);
        this.#summed(run.offset, part);
      }
    });
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    this.#assertOpen(offset, length, signal);
    await this.#mapped(async () => {
      await this.#prove(offset, length);
      await this.#clear(offset, length, signal);
      for (const part of blockParts(offset, length)) {
        if (part.length === this.#options.sums.lengthOf(part.block)) this.#holdsZeros(part.block);
        else if (this.#mayHoldData(part.block)) this.#unsummed.add(part.block);
      }
    });
  }

  async commit(signal: AbortSignal): Promise<void> {
    const { key, handle, sums, publish } = this.#options;
    this.#assertOpen(0, 0, signal);
    await this.#mapped(async () => {
      for (const block of this.#unsummed) {
        signal.throwIfAborted();
        const bytes = Buffer.allocUnsafe(sums.lengthOf(block));
        await readFully(handle, bytes, { key, offset: block * SUM_BLOCK_BYTES });
        this.#summed(block * SUM_BLOCK_BYTES, bytes);
      }
      await handle.sync();
      signal.throwIfAborted();
      await handle.close();
      await publish(sums.encode());
      this.#state = "committed";
    });
  }

  async abort(): Promise<void> {
    if (this.#state === "committed") return;
    this.#state = "aborted";
    await this.#options.handle.close().catch(() => undefined);
    await this.#options.discard();
  }

  /**
   * Before a part of a block is written: what stays of it gets a new sum, which must not make damage of the older image
   * look right.
   */
  async #prove(offset: number, length: number): Promise<void> {
    for (const part of blockParts(offset, length)) {
      if (part.length < this.#options.sums.lengthOf(part.block)) await this.#proveOnce(part.block);
    }
  }

  #proveOnce(block: number): Promise<void> {
    const { key, handle, sums } = this.#options;
    const proof = this.#proved.get(block) ?? proveBlock({ key, handle, sums, block });
    this.#proved.set(block, proof);
    return proof;
  }

  /** Whole blocks of zeros are not written. */
  *#partsOf(offset: number, bytes: Uint8Array) {
    for (const part of blockParts(offset, bytes.byteLength)) {
      const start = part.offset - offset;
      const whole = part.length === this.#options.sums.lengthOf(part.block);
      const zeros = whole && isZero(bytes.subarray(start, start + part.length));
      yield { ...part, kind: zeros ? ("zero" as const) : ("data" as const) };
    }
  }

  async #put(offset: number, bytes: Uint8Array): Promise<void> {
    this.#changes(offset, bytes.byteLength);
    for (let done = 0; done < bytes.byteLength;) {
      const left = bytes.byteLength - done;
      done += (await this.#options.handle.write(bytes, done, left, offset + done)).bytesWritten;
    }
  }

  /** Touches only blocks that may hold something else than zeros. */
  async #clear(offset: number, length: number, signal: AbortSignal): Promise<void> {
    for (const run of runsOf(this.#changedParts(offset, length))) {
      signal.throwIfAborted();
      if (!run.kind) continue;
      this.#changes(run.offset, run.length);
      if (await punchHole(this.#options.handle.fd, run.offset, run.length)) continue;
      for (let done = 0; done < run.length; done += ZEROS.byteLength) {
        signal.throwIfAborted();
        await this.#put(run.offset + done, ZEROS.subarray(0, run.length - done));
      }
    }
  }

  *#changedParts(offset: number, length: number) {
    for (const part of blockParts(offset, length)) yield { ...part, kind: this.#mayHoldData(part.block) };
  }

  #mayHoldData(block: number): boolean {
    return this.#options.sums.isData(block) || this.#unsummed.has(block);
  }

  /** Whatever becomes of a write, no sum is taken for right that may be wrong. */
  #changes(offset: number, length: number): void {
    for (const { block } of blockParts(offset, length)) this.#unsummed.add(block);
  }

  /** What the file holds now from `offset` on. */
  #summed(offset: number, bytes: Uint8Array): void {
    for (const { block, offset: at, length } of blockParts(offset, bytes.byteLength)) {
      const part = bytes.subarray(at - offset, at - offset + length);
      if (length !== this.#options.sums.lengthOf(block)) this.#unsummed.add(block);
      else if (isZero(part)) this.#holdsZeros(block);
      else {
        this.#unsummed.delete(block);
        this.#options.sums.setData(block, crc32(part));
      }
    }
  }

  #holdsZeros(block: number): void {
    this.#unsummed.delete(block);
    this.#options.sums.setZero(block);
  }

  #assertOpen(offset: number, length: number, signal: AbortSignal): void {
    signal.throwIfAborted();
    const { key, sums } = this.#options;
    if (this.#state !== "open") throw new StoreError(`the draft of image ${key} was ended`, { context: { key } });
    if (offset + length <= sums.logicalBytes) return;
    throw new StoreError(`image ${key} ends at byte ${sums.logicalBytes}`, { context: { key, offset, length } });
  }

  async #mapped(work: () => Promise<void>): Promise<void> {
    const { root, key } = this.#options;
    try {
      await work();
    } catch (error) {
      throw await mapSystemError(error, { root, what: `write image ${key}` });
    }
  }
}
