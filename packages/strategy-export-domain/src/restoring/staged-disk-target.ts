import type { DiskRecord, DiskTarget } from "@ovault/contract";
import type { NewImage } from "@ovault/storage-domain";

const MAX_WRITES = 4;

/** A raw, sparse volume in the export domain. */
export class StagedDiskTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = MAX_WRITES;
  readonly carrier = "export domain";
  readonly #image: NewImage;

  /** @param image a file of zeros, at least as long as the disk */
  constructor({ disk, stats }: DiskRecord, image: NewImage) {
    this.diskId = disk.id;
    this.logicalBytes = stats.logicalBytes;
    this.#image = image;
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < data.length;) {
      signal.throwIfAborted();
      const { bytesWritten } = await this.#image.file.write(data, done, data.length - done, offset + done);
      done += bytesWritten;
    }
  }

  /** What is not written is a hole. */
  async zero(): Promise<void> {}

  async flush(): Promise<void> {
    await this.#image.file.sync();
  }
}
