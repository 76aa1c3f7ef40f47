import type { FileHandle } from "node:fs/promises";

import { type Extent, IntegrityError, type ObjectKey, type StoredImage } from "@ovault/contract";
import { mapSystemError } from "@ovault/destination-filesystem";

import { blockParts, runsOf } from "./block-ranges.ts";
import { type BlockSums, SUM_BLOCK_BYTES } from "./block-sums.ts";
import { assertIntact } from "./prove-block.ts";
import { readFully } from "./read-fully.ts";

export interface RawImageOptions {
  readonly key: ObjectKey;
  readonly root: string;
  readonly handle: FileHandle;
  readonly sums: BlockSums;
}

/** A committed image. Every read proves the blocks that it touches. */
export class RawImage implements StoredImage {
  readonly key: ObjectKey;
  readonly logicalBytes: number;
  readonly #options: RawImageOptions;

  constructor(options: RawImageOptions) {
    this.#options = options;
    this.key = options.key;
    this.logicalBytes = options.sums.logicalBytes;
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    signal.throwIfAborted();
    for (const extent of runsOf(this.#blocks())) {
      signal.throwIfAborted();
      yield extent;
    }
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { key, logicalBytes } = this;
    if (offset + buffer.byteLength > logicalBytes) {
      throw new IntegrityError(`image ${key} ends at byte ${logicalBytes}`, { context: { key, offset } });
    }
    try {
      for (const run of runsOf(this.#parts(offset, buffer.byteLength))) {
        signal.throwIfAborted();
        const into = buffer.subarray(run.offset - offset, run.offset - offset + run.length);
        if (run.kind === "zero") into.fill(0);
        else if (run.kind === "whole") await this.#readWhole(run.offset, into);
        else await this.#readPart(run.offset, into);
      }
    } catch (error) {
      throw await mapSystemError(error, { root: this.#options.root, what: `read image ${key}` });
    }
  }

  async close(): Promise<void> {
    await this.#options.handle.close().catch(() => undefined);
  }

  *#blocks() {
    const { sums } = this.#options;
    for (let block = 0; block < sums.blocks; block++) {
      const kind = sums.isData(block) ? ("data" as const) : ("zero" as const);
      yield { kind, offset: block * SUM_BLOCK_BYTES, length: sums.lengthOf(block) };
    }
  }

  *#parts(offset: number, length: number) {
    const { sums } = this.#options;
    for (const part of blockParts(offset, length)) {
      const { block } = part;
      // Parts of two blocks must not join: each is proved by itself.
      const data = part.length === sums.lengthOf(block) ? ("whole" as const) : block;
      yield { ...part, kind: sums.isData(block) ? data : ("zero" as const) };
    }
  }

  async #readWhole(offset: number, into: Uint8Array): Promise<void> {
    const { handle, key, sums } = this.#options;
    await readFully(handle, into, { key, offset });
    for (const part of blockParts(offset, into.byteLength)) {
      const bytes = into.subarray(part.offset - offset, part.offset - offset + part.length);
      assertIntact(key, sums, part.block, bytes);
    }
  }

  async #readPart(offset: number, into: Uint8Array): Promise<void> {
    const block = Math.floor(offset / SUM_BLOCK_BYTES);
    const start = block * SUM_BLOCK_BYTES;
    const whole = Buffer.allocUnsafe(this.#options.sums.lengthOf(block));
    await this.#readWhole(start, whole);
    into.set(whole.subarray(offset - start, offset - start + into.byteLength));
  }
}
