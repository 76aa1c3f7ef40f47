import {
  type DiskReader,
  type DiskRecord,
  type Extent,
  inLanes,
  IntegrityError,
  messageOf,
  type RecoveryPoint,
  StoreMediumError,
} from "@ovault/contract";
import type { ImagePoints } from "../images/image-points.ts";
import { validateExtents } from "../pipeline/validate-extents.ts";
import { LostRanges } from "../points/lost-ranges.ts";
import { type Damage, failureOf, objectDamage } from "./damage.ts";
import { DEFAULT_VERIFY_LANES, type VerifyOptions, type VerifyReport } from "./verify-report.ts";

/**
 * Reads the images of these points, or of all, and lets their store prove them. What images share is read once for each.
 * Damage is reported, not thrown; a failure of the store is thrown. Of the report, a chunk is a block that was read.
 */
export async function verifyImages(
  store: ImagePoints,
  options: VerifyOptions & { readonly points?: readonly RecoveryPoint[] },
): Promise<VerifyReport> {
  const { signal } = options;
  const listing = options.points === undefined ? await store.points.list(signal) : undefined;
  const points = options.points ?? listing?.points ?? [];
  const damage: Damage[] = (listing?.damaged ?? []).map(({ error }) => objectDamage(messageOf(error)));
  const totals = { chunks: 0, bytes: 0 };
  const onRead = (bytes: number): void => {
    totals.chunks += 1;
    totals.bytes += bytes;
    options.onProgress?.({ ...totals });
  };
  for (const point of points) {
    const found: Damage[] = [];
    for (const record of point.disks) found.push(...(await damageOf(store, point, record, { ...options, onRead })));
    // A point that was forgotten meanwhile has no images any more.
    if (found.length > 0 && (await store.points.holds(point, signal))) damage.push(...found);
  }
  const none = { packs: 0, storedBytes: 0, pagesOnce: 0, notes: [] };
  return { points: points.length, ...totals, ...none, damage, repairable: false };
}

interface ReadOptions extends VerifyOptions {
  readonly onRead: (bytes: number) => void;
}

async function damageOf(
  store: ImagePoints,
  point: RecoveryPoint,
  record: DiskRecord,
  options: ReadOptions,
): Promise<readonly Damage[]> {
  const at = { point: point.id, disk: record.disk.alias };
  let image: DiskReader | undefined;
  const unopened = await failureOf(async () => {
    image = await store.openDisk(point, record, options);
  });
  if (image === undefined) return [{ ...at, offset: null, length: null, reason: unopened ?? "it is no image" }];
  try {
    const lost = await lossesIn(image, store.blockBytes, options);
    return lost.ranges.map((range) => ({ ...at, ...range }));
  } finally {
    await image.close();
  }
}

async function lossesIn(image: DiskReader, blockBytes: number, options: ReadOptions): Promise<LostRanges> {
  const { lanes = DEFAULT_VERIFY_LANES, onRead, signal } = options;
  const lost = new LostRanges();
  const prove = async ({ offset, length }: Extent, lane: AbortSignal): Promise<void> => {
    try {
      await image.readInto(offset, Buffer.allocUnsafe(length), lane);
      onRead(length);
    } catch (error) {
      if (!(error instanceof IntegrityError) && !(error instanceof StoreMediumError)) throw error;
      lost.add({ offset, length, reason: error.message });
    }
  };
  await inLanes(blocksOf(image, blockBytes, signal), lanes, prove, signal);
  return lost;
}

async function* blocksOf(image: DiskReader, blockBytes: number, signal: AbortSignal): AsyncGenerator<Extent> {
  for await (const { offset, length, kind } of validateExtents(image.extents(signal), image.logicalBytes)) {
    if (kind === "zero") continue;
    for (let done = 0; done < length; done += blockBytes) {
      yield { offset: offset + done, length: Math.min(blockBytes, length - done), kind };
    }
  }
}
