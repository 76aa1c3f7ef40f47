import type { ByteSource } from "./byte-source.ts";
import { ImageCorruptError } from "./errors.ts";

/**
 * Reads an image by its clusters. A file may be shorter than its clusters: the missing part of the last one reads as
 * zeros, and only a cluster that is missing as a whole is damage.
 */
export class ClusterReader {
  readonly #source: ByteSource;
  /** End of the last cluster that the file has a part of. */
  readonly #end: number;

  constructor(source: ByteSource, clusterBytes: number) {
    this.#source = source;
    this.#end = Math.ceil(source.fileBytes / clusterBytes) * clusterBytes;
  }

  /** Like readInto, but allocates a buffer, only if the file can fill it. */
  async read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    this.#assertThere(offset, length);
    const target = Buffer.allocUnsafe(length);
    await this.#fill(offset, target, signal);
    return target;
  }

  async readInto(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertThere(offset, target.length);
    await this.#fill(offset, target, signal);
  }

  /**
   * `length` bytes, at most two clusters, of compressed data that must begin in the file. The length counts whole
   * sectors and the file may end before they do, so only decoding shows whether the data was complete.
   */
  async readPacked(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    this.#assertThere(offset, 1);
    const target = Buffer.allocUnsafe(length);
    await this.#fill(offset, target, signal);
    return target;
  }

  async #fill(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void> {
    const there = Math.min(Math.max(this.#source.fileBytes - offset, 0), target.length);
    if (there > 0) await this.#source.readInto(offset, target.subarray(0, there), signal);
    target.fill(0, there);
  }

  #assertThere(offset: number, length: number): void {
    if (length === 0 || offset + length <= this.#end) return;
    throw new ImageCorruptError("the image ends before its data does", {
      context: { offset, length, bytes: this.#source.fileBytes },
    });
  }
}
