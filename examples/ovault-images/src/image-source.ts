import type { Disk, DiskSource, Extent } from "@ovault/contract";

import type { OpenImage } from "./open-image.ts";

/** A range that a guest wrote, in bytes. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

export interface ImageReading {
  /** Whether the run has a point of this disk to build on. */
  readonly hasBase: boolean;
  /** Changes since that point: ascending, without overlap. `undefined` when unknown. */
  readonly changes?: readonly ChangedRange[];
}

/** An image as the source of a disk; with the extents of change tracking if the changes are known. */
export class ImageSource implements DiskSource {
  readonly disk: Disk;
  readonly mode: DiskSource["mode"];
  readonly reason: string;
  readonly maxReads: number;
  readonly readsUnchanged: boolean;
  readonly #image: OpenImage;
  readonly #changes: readonly ChangedRange[] | undefined;

  constructor(image: OpenImage, { hasBase, changes }: ImageReading) {
    this.disk = image.disk;
    this.maxReads = image.maxReads;
    this.#image = image;
    this.#changes = hasBase ? changes : undefined;
    this.readsUnchanged = this.#changes !== undefined;
    this.mode = !hasBase ? "full" : changes === undefined ? "compared" : "incremental";
    this.reason = this.#changes === undefined ? image.reason : "its changes are listed";
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    signal.throwIfAborted();
    if (this.#changes === undefined) return yield* this.#image.extents(signal);
    let at = 0;
    for (const { offset, length } of this.#changes) {
      if (offset > at) yield { offset: at, length: offset - at, kind: "unchanged" };
      yield { offset, length, kind: "data" };
      at = offset + length;
    }
    const end = this.disk.logicalBytes;
    if (at < end) yield { offset: at, length: end - at, kind: "unchanged" };
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#image.readInto(offset, buffer, signal);
  }
}
