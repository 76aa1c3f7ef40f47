import type { Disk, DiskSource, Extent } from "@ovault/contract";

import type { OpenImage } from "./open-image.ts";

/** A range that a guest wrote, in bytes. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/** An image with the extents that change tracking would give. */
export class TrackedImage implements DiskSource {
  readonly disk: Disk;
  readonly mode = "incremental";
  readonly reason = "its changes are listed";
  readonly maxReads: number;
  readonly readsUnchanged = true;
  readonly #image: OpenImage;
  readonly #changes: readonly ChangedRange[];

  /** @param changes ascending, without overlap */
  constructor(image: OpenImage, changes: readonly ChangedRange[]) {
    this.disk = image.disk;
    this.maxReads = image.maxReads;
    this.#image = image;
    this.#changes = changes;
  }

  async *extents(): AsyncGenerator<Extent> {
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
