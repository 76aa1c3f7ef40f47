import { type CallOptions, IntegrityError, type ObjectKey, type StoredImage } from "@ovault/contract";
import type { MemoryImageStore } from "@ovault/testkit";

import { SteppedImageStore } from "./stepped-image-store.ts";

/** An image store whose medium has gone bad at some places. */
export class DamagedImageStore extends SteppedImageStore {
  /** Offsets of bytes that cannot be read, by key of their image. */
  readonly damage = new Map<ObjectKey, readonly number[]>();

  constructor(images: MemoryImageStore) {
    super(images, () => {});
  }

  override async open(key: ObjectKey, options: CallOptions): Promise<StoredImage> {
    const image = await super.open(key, options);
    const readInto: StoredImage["readInto"] = async (offset, buffer, signal) => {
      const bad = this.damage.get(key)?.find((at) => at >= offset && at < offset + buffer.byteLength);
      if (bad !== undefined) throw new IntegrityError(`byte ${bad} of ${key} is bad`);
      await image.readInto(offset, buffer, signal);
    };
    return { ...image, readInto };
  }
}
