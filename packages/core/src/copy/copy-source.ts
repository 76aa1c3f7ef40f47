import {
  type DiskReader,
  type DiskRecord,
  type DiskSource,
  type Extent,
  IntegrityError,
  type RecoveryPoint,
} from "@ovault/contract";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import type { Repository } from "../repository/repository.ts";
import type { CopyBase } from "./copy-base.ts";
import type { CopyStores } from "./copy-stores.ts";
import { planCopy } from "./plan-copy.ts";

export interface CopySourcesOptions extends CopyStores {
  readonly point: RecoveryPoint;
  readonly base: CopyBase | undefined;
  readonly lanes: number;
  readonly signal: AbortSignal;
}

type FindExtents = (signal: AbortSignal) => AsyncIterable<Extent>;

/**
 * The disks of a point as a run reads them. All are open at once, so that a point of images that is forgotten meanwhile
 * can be read to its end. The caller releases each.
 */
export async function openCopySources(options: CopySourcesOptions): Promise<readonly DiskSource[]> {
  const sources: DiskSource[] = [];
  try {
    for (const record of options.point.disks) sources.push(await openSource(record, options));
    return sources;
  } catch (error) {
    for (const source of sources) await source.release?.();
    throw error;
  }
}

async function openSource(
  record: DiskRecord,
  { from, point, base, lanes, signal }: CopySourcesOptions,
): Promise<DiskSource> {
  const changes =
    from.kind === "repository" && base !== undefined ? await findChanges(from, point, record, base, signal) : undefined;
  const reader: DiskReader = await from.openDisk(point, record, { signal });
  const compared = base === undefined ? "full" : "compared";
  return {
    // The reader decides on the size.
    disk: { ...record.disk, logicalBytes: reader.logicalBytes },
    mode: changes === undefined ? compared : "incremental",
    reason: record.reason,
    maxReads: lanes,
    readsUnchanged: true,
    extents: changes ?? ((reading) => reader.extents(reading)),
    readInto: (offset, buffer, reading) => reader.readInto(offset, buffer, reading),
    release: () => reader.close(),
  };
}

/** What differs from the base, by the block maps of the source; undefined when only a comparison of the data can tell. */
async function findChanges(
  from: Repository,
  point: RecoveryPoint,
  record: DiskRecord,
  { here, there }: CopyBase,
  signal: AbortSignal,
): Promise<FindExtents | undefined> {
  const [before, copied] = [here, there].map((known) => known?.disks.find(({ disk }) => disk.id === record.disk.id));
  if (here === undefined || before === undefined || copied === undefined) return undefined;
  const { logicalBytes } = record.stats;
  if (before.stats.logicalBytes !== logicalBytes || copied.stats.logicalBytes !== logicalBytes) return undefined;
  let mapBefore: BlockMapReader;
  try {
    mapBefore = await from.openMap(here, before, signal);
  } catch (error) {
    if (error instanceof IntegrityError) return undefined;
    throw error;
  }
  const map = await from.openMap(point, record, signal);
  const { blockBytes } = point;
  return async function* extents(reading) {
    for await (const item of planCopy(map, mapBefore, reading)) {
      const { first, count } = item.kind === "block" ? { first: item.block, count: 1 } : item;
      const offset = first * blockBytes;
      const length = Math.min(count * blockBytes, logicalBytes - offset);
      // The map of an empty disk has a block of no bytes.
      if (length > 0) yield { offset, length, kind: KINDS[item.kind] };
    }
  };
}

const KINDS = { block: "data", same: "unchanged", zero: "zero" } as const;
