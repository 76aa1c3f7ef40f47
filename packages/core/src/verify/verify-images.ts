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
import { LostMarks } from "../losses/lost-marks.ts";
import { validateExtents } from "../pipeline/validate-extents.ts";
import { type DiskLosses, LostRanges } from "../points/lost-ranges.ts";
import { type Damage, failureOf, objectDamage } from "./damage.ts";
import { asWellAsPossible } from "./record-damage.ts";
import { VerifyCounts } from "./verify-counts.ts";
import { DEFAULT_VERIFY_LANES, type VerifyOptions, type VerifyReport } from "./verify-report.ts";

/**
 * Reads the images of these points, or of all, and lets their store prove them. What images share is read once for each.
 * Damage is reported, and marked at the point as far as possible, not thrown; a failure of the store is thrown. The mark
 * of a point that is sound by now goes. Of the report, a chunk is a block that was read.
 */
export async function verifyImages(
  store: ImagePoints,
  options: VerifyOptions & { readonly points?: readonly RecoveryPoint[] },
): Promise<VerifyReport> {
  const { signal } = options;
  const { place } = store.points;
  const listing = options.points === undefined ? await store.points.list(signal) : undefined;
  const points = options.points ?? listing?.points ?? [];
  const damage: Damage[] = (listing?.damaged ?? []).map(({ error }) => objectDamage(messageOf(error)));
  const notes = new Set<string>();
  const totals = { chunks: 0, bytes: 0 };
  const counts = new VerifyCounts(totals, options.onProgress);
  counts.expectPoints(points.length);
  const onRead = (bytes: number): void => {
    totals.chunks += 1;
    totals.bytes += bytes;
    counts.report();
  };
  const marks = await LostMarks.read(place, signal);
  for (const point of points) {
    const found: DiskLosses[] = [];
    for (const record of point.disks) found.push(...(await lossesOf(store, point, record, { ...options, onRead })));
    const mark = () => markPoint(store, marks, point, found, signal);
    for (const note of await asWellAsPossible("what was found damaged", mark)) notes.add(note);
    // A point that was forgotten meanwhile has no images any more.
    if (found.length > 0 && (await store.points.holds(point, signal))) damage.push(...damageOf(point, found));
    counts.point();
  }
  const none = { packs: 0, storedBytes: 0, pagesOnce: 0 };
  return { points: points.length, ...totals, ...none, notes: [...notes], damage, repairable: false };
}

async function markPoint(
  { points }: ImagePoints,
  marks: LostMarks,
  point: RecoveryPoint,
  losses: readonly DiskLosses[],
  signal: AbortSignal,
): Promise<void> {
  if (!(await marks.set(point, losses, signal)) || (await points.holds(point, signal))) return;
  // Forgotten meanwhile, and with it the marks that were there.
  await (await LostMarks.read(points.place, signal, point)).set(point, [], signal);
}

/** One for each range of each disk. */
function damageOf({ id, disks }: RecoveryPoint, losses: readonly DiskLosses[]): readonly Damage[] {
  const sizes = new Map(disks.map(({ disk, stats }) => [disk.id, stats.logicalBytes]));
  return losses.flatMap(({ disk, alias, ranges }) =>
    ranges.map(({ offset, length, reason }) => {
      const place = length === sizes.get(disk) ? { offset: null, length: null } : { offset, length };
      return { point: id, disk: alias, ...place, reason };
    }),
  );
}

interface ReadOptions extends VerifyOptions {
  readonly onRead: (bytes: number) => void;
}

/** Empty, or what this disk has lost. */
async function lossesOf(
  store: ImagePoints,
  point: RecoveryPoint,
  record: DiskRecord,
  options: ReadOptions,
): Promise<readonly DiskLosses[]> {
  const { id: disk, alias } = record.disk;
  const { logicalBytes } = record.stats;
  let image: DiskReader | undefined;
  const unopened = await failureOf(async () => {
    image = await store.openDisk(point, record, options);
  });
  if (image === undefined) {
    const reason = unopened ?? "it is no image";
    return [{ disk, alias, lostBytes: logicalBytes, ranges: [{ offset: 0, length: logicalBytes, reason }] }];
  }
  try {
    const { lostBytes, ranges } = await rangesLostIn(image, store.blockBytes, options);
    return ranges.length === 0 ? [] : [{ disk, alias, lostBytes, ranges }];
  } finally {
    await image.close();
  }
}

async function rangesLostIn(image: DiskReader, blockBytes: number, options: ReadOptions): Promise<LostRanges> {
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
