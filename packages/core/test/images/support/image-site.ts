import type { ImageStore, ObjectStore, RecoveryPoint } from "@ovault/contract";
import { ImagePoints, type Ledger } from "@ovault/core";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import type { TakeDisksOptions } from "@ovault/core/internal/points/point-writer";
import { never } from "@ovault/test-support/repository/take-point";
import { MemoryImageStore } from "@ovault/testkit";

import { type ModelDisks, ModelRuns, openLedger } from "../../support/model-runs.ts";

/** Of disks of a few kilobytes. */
export const BLOCK_BYTES = 512;

/** For disks that a test hands to a writer itself. */
export function takeOptions(base?: RecoveryPoint): TakeDisksOptions {
  return { base, anew: false, buffers: new BufferPool(2, BLOCK_BYTES), onProgress: () => {} };
}

/** A machine of a model platform, and an image store for its points. */
export class ImageSite extends ModelRuns<ImagePoints> {
  readonly images: MemoryImageStore;

  private constructor(ledger: Ledger, images: MemoryImageStore, disks: ModelDisks) {
    super(ledger, pointsOn(images), disks);
    this.images = images;
  }

  static async onImages(disks: ModelDisks): Promise<ImageSite> {
    return new ImageSite(await openLedger(), new MemoryImageStore(), disks);
  }

  /** The same images, beside objects as another process sees them. */
  withObjects(objects: ObjectStore): ImageStore {
    const { images } = this;
    return {
      capabilities: images.capabilities,
      objects,
      create: (key, options) => images.create(key, options),
      open: (key, options) => images.open(key, options),
      list: (prefix, options) => images.list(prefix, options),
      delete: (key, options) => images.delete(key, options),
      close: () => images.close(),
    };
  }

  async keysOfImages(): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const { key } of this.images.list("", { signal: never })) keys.push(key);
    return keys;
  }

  /** Keys of the images that points need. */
  async keysOfPoints(): Promise<readonly string[]> {
    const { points } = this.store;
    const all = await points.list(never);
    const keys = all.points.flatMap((point) => point.disks.map(({ disk }) => points.keyOfImage(point, disk.id)));
    return keys.toSorted();
  }
}

export function pointsOn(images: ImageStore): ImagePoints {
  return new ImagePoints(images, { blockBytes: BLOCK_BYTES });
}
