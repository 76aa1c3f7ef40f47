import { type DiskSource, type ImageDraft, SourceError, type StoredImage } from "@ovault/contract";
import type { BaseDisk, BlockSink, StoredBlock } from "../pipeline/backup-disk.ts";

export interface ImageDiskOptions {
  readonly source: DiskSource;
  readonly draft: ImageDraft;
  /** The image that the draft began as. */
  readonly base: StoredImage | undefined;
  readonly blockBytes: number;
}

/** One disk as a whole image. What is unchanged is in the draft already, if it began as the base. */
export class ImageDisk implements BlockSink {
  readonly #options: ImageDiskOptions;

  constructor(options: ImageDiskOptions) {
    this.#options = options;
  }

  async put(block: number, plain: Uint8Array, signal: AbortSignal): Promise<StoredBlock> {
    const { source, draft, base, blockBytes } = this.#options;
    const offset = block * blockBytes;
    // A block that is written is no longer shared with the base.
    if (source.mode === "compared" && base !== undefined && offset + plain.byteLength <= base.logicalBytes) {
      const before = Buffer.alloc(plain.byteLength);
      await base.readInto(offset, before, signal);
      if (before.equals(plain)) return { kind: "unchanged", storedBytes: 0 };
    }
    await draft.write(offset, plain, signal);
    return { kind: "new", storedBytes: plain.byteLength };
  }

  async fill(first: number, count: number, kind: "zero" | "unchanged", signal: AbortSignal): Promise<void> {
    const { source, draft, base, blockBytes } = this.#options;
    if (kind === "unchanged" || base === undefined) return;
    const offset = first * blockBytes;
    await draft.zero(offset, Math.min(count * blockBytes, source.disk.logicalBytes - offset), signal);
  }
}

/** The base of a disk, as the pipeline reads it. */
export function baseDiskOf(image: StoredImage, blockBytes: number): BaseDisk {
  const { logicalBytes } = image;
  return {
    logicalBytes,
    async readBlock(block, signal) {
      const offset = block * blockBytes;
      if (offset >= logicalBytes)
        throw new SourceError(`block ${block} is said to be unchanged, but the base is shorter`);
      const plain = new Uint8Array(Math.min(blockBytes, logicalBytes - offset));
      await image.readInto(offset, plain, signal);
      return plain;
    },
  };
}
