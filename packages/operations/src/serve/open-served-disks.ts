import type { DiskReader, DiskRecord, RecoveryPoint } from "@ovault/contract";
import { BlockCache } from "@ovault/core";
import type { RangedDisk } from "@ovault/disk-image";

import type { PointsOfDestination } from "../installation/installation.ts";

/** A disk of a point, ready to be served. */
export interface OpenedDisk {
  readonly disk: RangedDisk;
  readonly record: DiskRecord;
}

export interface OpenedDisks {
  /** By the name of the export: the index of the disk, or its id where indexes repeat. */
  readonly byName: ReadonlyMap<string, OpenedDisk>;
  close(): Promise<void>;
}

/** Opens disks of a point with one cache of `cacheBytes`; the images of an image store need none. */
export async function openServedDisks(
  store: PointsOfDestination,
  { point, records }: { readonly point: RecoveryPoint; readonly records: readonly DiskRecord[] },
  { cacheBytes, signal }: { readonly cacheBytes: number; readonly signal: AbortSignal },
): Promise<OpenedDisks> {
  const { RangedReader } = await import("@ovault/disk-image");
  const cache = new BlockCache(cacheBytes, store.blockBytes);
  const indexes = new Set(records.map(({ disk }) => disk.index));
  const byName = new Map<string, OpenedDisk>();
  const readers: DiskReader[] = [];
  const close = async (): Promise<void> => {
    for (const reader of readers) await reader.close();
    cache.close();
  };
  const open = async (record: DiskRecord): Promise<RangedDisk> => {
    if (store.kind === "repository") {
      const disk = await store.openDisk(point, record, { cache, signal });
      readers.push(disk);
      return disk;
    }
    const image = await store.openDisk(point, record, { signal });
    readers.push(image);
    return new RangedReader(image);
  };
  try {
    for (const record of records) {
      const name = indexes.size === records.length ? String(record.disk.index) : record.disk.id;
      byName.set(name, { disk: await open(record), record });
    }
    return { byName, close };
  } catch (error) {
    await close();
    throw error;
  }
}
