import type { CreateImageOptions, Extent, ImageDraft, ImageStore, StoredImage } from "@ovault/contract";

import { assertSame } from "../assertions.ts";
import type { Check } from "../check.ts";

/** The subject of the ImageStore checks. */
export interface ImageStoreUnderTest {
  /** Empty, and exclusive to the test. */
  readonly store: ImageStore;
  /** Another client of the same place. Without it, checks with two clients are skipped. */
  readonly second?: ImageStore | undefined;
  /** Iterations of randomized checks and races. */
  readonly runs: number;
}

export type ImageStoreCheck = Check<ImageStoreUnderTest>;

/** Makes an image with this content; always ends the draft. */
export async function makeImage(
  store: ImageStore,
  key: string,
  options: CreateImageOptions,
  fill: (draft: ImageDraft) => Promise<void>,
): Promise<void> {
  const draft = await store.create(key, options);
  try {
    await fill(draft);
    await draft.commit(options.signal);
  } finally {
    await draft.abort();
  }
}

/** Makes an image of these bytes. */
export async function storeImage(
  store: ImageStore,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  await makeImage(store, key, { logicalBytes: bytes.length, signal }, (draft) => draft.write(0, bytes, signal));
}

export async function withImage<T>(
  store: ImageStore,
  key: string,
  signal: AbortSignal,
  use: (image: StoredImage) => Promise<T>,
): Promise<T> {
  const image = await store.open(key, { signal });
  try {
    return await use(image);
  } finally {
    await image.close();
  }
}

/** All bytes of an image. Does not read `zero` extents. */
export async function contentOf(store: ImageStore, key: string, signal: AbortSignal): Promise<Uint8Array> {
  return await withImage(store, key, signal, async (image) => {
    const bytes = new Uint8Array(image.logicalBytes).fill(0xee);
    for (const { offset, length, kind } of await extentsOf(image, signal)) {
      const range = bytes.subarray(offset, offset + length);
      if (kind === "zero") range.fill(0);
      else await image.readInto(offset, range, signal);
    }
    return bytes;
  });
}

/** The extents of an image, checked against their contract. */
export async function extentsOf(image: StoredImage, signal: AbortSignal): Promise<readonly Extent[]> {
  const extents: Extent[] = [];
  let end = 0;
  for await (const extent of image.extents(signal)) {
    assertSame(extent.offset, end, `an extent of ${image.key} begins where the last one ended`);
    assertSame(extent.length > 0, true, `the extent at ${end} is not empty`);
    assertSame(["data", "zero"].includes(extent.kind), true, `the extent at ${end} is data or zero (${extent.kind})`);
    end = extent.offset + extent.length;
    extents.push(extent);
  }
  assertSame(end, image.logicalBytes, `the end of the last extent of ${image.key}`);
  return extents;
}

export async function imagesOf(store: ImageStore, prefix: string, signal: AbortSignal): Promise<[string, number][]> {
  const images: [string, number][] = [];
  for await (const { key, logicalBytes } of store.list(prefix, { signal })) images.push([key, logicalBytes]);
  return images;
}
