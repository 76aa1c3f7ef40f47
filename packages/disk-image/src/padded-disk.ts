import type { Extent } from "@ovault/contract";

import type { RangedDisk } from "./ranged-disk.ts";

/** A disk with zeros behind it, up to a size: room for what an overlay makes it grow by. */
export class PaddedDisk implements RangedDisk {
  readonly logicalBytes: number;
  readonly #disk: RangedDisk;

  constructor(disk: RangedDisk, logicalBytes: number) {
    if (logicalBytes < disk.logicalBytes) throw new RangeError("a disk cannot be padded to fewer bytes");
    this.logicalBytes = logicalBytes;
    this.#disk = disk;
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    const inDisk = this.#within(offset, buffer.byteLength);
    buffer.fill(0, inDisk);
    if (inDisk > 0) await this.#disk.readInto(offset, buffer.subarray(0, inDisk), signal);
  }

  async *extentsOf(
    { offset, length }: { readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Extent> {
    const inDisk = this.#within(offset, length);
    if (inDisk > 0) yield* this.#disk.extentsOf({ offset, length: inDisk }, signal);
    if (inDisk < length) yield { offset: offset + inDisk, length: length - inDisk, kind: "zero" };
  }

  #within(offset: number, length: number): number {
    return Math.min(length, Math.max(0, this.#disk.logicalBytes - offset));
  }
}
