import type { ByteSource } from "../../src/index.ts";

/** An image in memory that refuses to be read past its end, and counts what is asked of it. */
export class CountedImage implements ByteSource {
  readonly fileBytes: number;
  largestRead = 0;
  bytesBeforeData = 0;
  readonly #image: Buffer;
  #countsTables = true;

  constructor(image: Buffer) {
    this.#image = image;
    this.fileBytes = image.length;
  }

  /** From here on the disk's data is read. */
  dataBegins(): void {
    this.#countsTables = false;
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    if (offset + target.length > this.#image.length) throw new RangeError("read past the end");
    this.largestRead = Math.max(this.largestRead, target.length);
    if (this.#countsTables) this.bytesBeforeData += target.length;
    this.#image.copy(target, 0, offset, offset + target.length);
  }
}
