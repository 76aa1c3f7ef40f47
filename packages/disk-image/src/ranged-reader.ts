import { type DiskReader, type Extent, UsageError } from "@ovault/contract";

import type { RangedDisk } from "./ranged-disk.ts";

/** Any disk that is read at random, with the extents of its ranges: it asks for all extents once and keeps them. */
export class RangedReader implements RangedDisk {
  readonly logicalBytes: number;
  readonly #reader: DiskReader;
  #extents: readonly Extent[] | undefined;

  constructor(reader: DiskReader) {
    this.logicalBytes = reader.logicalBytes;
    this.#reader = reader;
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#reader.readInto(offset, buffer, signal);
  }

  async *extentsOf(
    { offset, length }: { readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Extent> {
    const end = offset + length;
    if (offset < 0 || end > this.logicalBytes) {
      throw new UsageError(`the disk has ${this.logicalBytes} bytes: ${length} at ${offset} do not lie in it`);
    }
    const extents = (this.#extents ??= await this.#readExtents(signal));
    for (let at = firstAfter(extents, offset); at < extents.length; at += 1) {
      const extent = extents[at];
      if (extent === undefined || extent.offset >= end) return;
      const from = Math.max(offset, extent.offset);
      yield { ...extent, offset: from, length: Math.min(end, extent.offset + extent.length) - from };
    }
  }

  async #readExtents(signal: AbortSignal): Promise<readonly Extent[]> {
    const extents: Extent[] = [];
    for await (const extent of this.#reader.extents(signal)) extents.push(extent);
    return extents;
  }
}

/** The first extent that ends after `offset`. */
function firstAfter(extents: readonly Extent[], offset: number): number {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { offset: start = 0, length = 0 } = extents[middle] ?? {};
    if (start + length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
